//! The key-value server on a Cortex-M3 with 64 KiB of memory, no allocator, its clients on a serial line.
//!
//! QEMU makes the serial line a TCP socket, so an unmodified redis-cli talks to the microcontroller:
//!
//! ```text
//! cargo xtask qemu kv --port 7379        in one terminal
//! redis-cli -p 7379                      in another
//! ```
//!
//! The line serves one client after the other. A break on it is a hang-up; QUIT, a breach of the protocol and lost bytes
//! end a session too. The next byte begins a new one.
#![no_std]
#![no_main]

mod uart;

use core::pin::pin;

use corio::Runner;
use corio_cortex_m::SysTickReactor;
use corio_kv::{Bounded, Server, StreamError, serve};
use cortex_m::singleton;
use cortex_m_rt::entry;
use embedded_io_async::Write;
use heapless::spsc;

const HZ: u32 = 50_000_000;
/// Expiry need not be more exact than 10 ms, and an emulator that its host keeps waiting for so long is rare.
const TICK_HZ: u32 = 100;

/// One client; 24 KiB of keys and values; requests up to 1 KiB, 2 KiB of replies that wait.
type Memory = Bounded<1, 24_576, 1_024, 2_048>;

async fn sessions(server: &Server<Memory>, mut rx: uart::Rx, mut tx: uart::Tx) {
    loop {
        // However it ended, and whoever is to blame: the server and its data go on.
        if let Err(StreamError::Read(_)) = serve(&mut rx, &mut tx, server).await {
            let Ok(()) = tx.write_all(b"-ERR bytes were lost on the line\r\n").await;
        }
    }
}

#[entry]
fn main() -> ! {
    let core = cortex_m::Peripherals::take().expect("this is the only call");
    lm3s6965evb::set_clock_divider(200_000_000 / HZ);
    let received = singleton!(: spsc::Queue<u8, 512> = spsc::Queue::new()).expect("this is the only call");
    let to_send = singleton!(: spsc::Queue<u8, 512> = spsc::Queue::new()).expect("this is the only call");
    let (rx, tx) = uart::open(received, to_send);
    let server = Server::<Memory>::bounded();
    let mut runner = Runner::new(SysTickReactor::<HZ, TICK_HZ>::with_tick(core.SYST));
    let _ = runner.run_all([pin!(sessions(&server, rx, tx)), pin!(server.expire())]);
    unreachable!("without an allocator run_all does not return")
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    lm3s6965evb::fail(info)
}
