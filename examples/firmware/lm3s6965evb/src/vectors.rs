//! The interrupts, and their places in the vector table.

use cortex_m::interrupt::InterruptNumber;

/// Names the interrupts, and makes the table of their handlers; device.x gives each name a default.
macro_rules! vectors {
    ($count:literal: $($name:ident)*) => {
        /// The interrupts that have a vector here: the first of the part's, in its order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u16)]
        #[allow(missing_docs, non_camel_case_types, reason = "the names are the data sheet's")]
        pub enum Interrupt {
            $($name),*
        }

        unsafe extern "C" {
            $(fn $name();)*
        }

        /// Their handlers.
        // SAFETY: the section and the symbol are those that cortex-m-rt asks for with its feature `device`.
        #[unsafe(link_section = ".vector_table.interrupts")]
        #[unsafe(no_mangle)]
        pub static __INTERRUPTS: [unsafe extern "C" fn(); $count] = [$($name),*];
    };
}

#[cfg(not(feature = "timer"))]
vectors! { 8: GPIOA GPIOB GPIOC GPIOD GPIOE UART0 UART1 SSI0 }

#[cfg(feature = "timer")]
vectors! { 20: GPIOA GPIOB GPIOC GPIOD GPIOE UART0 UART1 SSI0
I2C0 PWM_FAULT PWM0 PWM1 PWM2 QEI0 ADC0 ADC1 ADC2 ADC3 WATCHDOG TIMER0A }

// SAFETY: the numbers are the data sheet's and stay the same.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

// The attribute for handlers, and beside it the names that the attribute looks for.
pub use Interrupt as interrupt;
pub use cortex_m_rt::interrupt;
