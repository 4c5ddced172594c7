//! UART 0, a PL011, as a pair of byte streams.
//!
//! Between the interrupt handler and each task is a ring: the handler holds one end of it, the task the other, so bytes
//! cross without a lock. An interrupt that has moved bytes wakes the task that waits.
//!
//! ```text
//!   line ─► FIFO ─► handler ─► ring ─► Rx::read
//!   line ◄─ FIFO ◄─ handler ◄─ ring ◄─ Tx::write
//! ```
//!
//! When a ring cannot take what there is (received too fast, or nothing left to send) the handler masks its interrupt,
//! and the task unmasks it when that has changed; meanwhile bytes wait in the FIFO. Two things on the line are not bytes
//! but marks between them: a *break*, by which the other side hangs up, and an *overrun*, bytes lost because the FIFO was
//! full. A mark also stops the handler, until the reader has read all that was before it and taken the mark itself: the
//! end of the stream, or [`Lost`]. What comes after it is a new stream.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use core::task::Poll;

use corio::wait::WaitCell;
use cortex_m::peripheral::NVIC;
use critical_section::Mutex;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use heapless::spsc::{Consumer, Producer, Queue};
use lm3s6965evb::{Interrupt, interrupt};

const BASE: usize = 0x4000_c000;
/// Data; the marks are beside it.
const DR: *mut u32 = BASE as *mut u32;
const FR: *mut u32 = (BASE + 0x18) as *mut u32;
const LCRH: *mut u32 = (BASE + 0x2c) as *mut u32;
const CTL: *mut u32 = (BASE + 0x30) as *mut u32;
/// Which interrupts are let through. Changed inside critical sections only.
const IM: *mut u32 = (BASE + 0x38) as *mut u32;
const ICR: *mut u32 = (BASE + 0x44) as *mut u32;

const DR_BREAK: u32 = 1 << 10;
const DR_OVERRUN: u32 = 1 << 11;
const FR_RX_EMPTY: u32 = 1 << 4;
const FR_TX_FULL: u32 = 1 << 5;
const LCRH_8_BITS_FIFOS: u32 = 0x70;
const CTL_ENABLE_BOTH: u32 = 0x301;
const INT_RX: u32 = 1 << 4;
const INT_TX: u32 = 1 << 5;
const INT_RX_TIMEOUT: u32 = 1 << 6;

/// The handler's ends of the rings.
struct Ends {
    received: Producer<'static, u8>,
    to_send: Consumer<'static, u8>,
}

static ENDS: Mutex<RefCell<Option<Ends>>> = Mutex::new(RefCell::new(None));
static READABLE: WaitCell = WaitCell::new();
static WRITABLE: WaitCell = WaitCell::new();
/// The mark that the reader has yet to take, if any.
static MARK: AtomicU8 = AtomicU8::new(NO_MARK);
const NO_MARK: u8 = 0;
const BREAK: u8 = 1;
const OVERRUN: u8 = 2;
/// How often bytes were lost.
static OVERRUNS: AtomicU32 = AtomicU32::new(0);

/// Turns the UART on; `received` and `to_send` are its rings.
pub(crate) fn open<const R: usize, const T: usize>(
    received: &'static mut Queue<u8, R>,
    to_send: &'static mut Queue<u8, T>,
) -> (Rx, Tx) {
    let (received, rx) = received.split();
    let (tx, to_send) = to_send.split();
    critical_section::with(|cs| {
        *ENDS.borrow_ref_mut(cs) = Some(Ends { received, to_send });
        // SAFETY: registers of UART 0, in the data sheet's order (QEMU's line has no rate to set).
        unsafe {
            CTL.write_volatile(0);
            LCRH.write_volatile(LCRH_8_BITS_FIFOS);
            IM.write_volatile(INT_RX | INT_RX_TIMEOUT);
            CTL.write_volatile(CTL_ENABLE_BOTH);
        }
    });
    // SAFETY: the handler is below, and its ends of the rings are in place.
    unsafe { NVIC::unmask(Interrupt::UART0) };
    (Rx { ring: rx }, Tx { ring: tx })
}

/// Bytes were lost on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lost {
    /// How often, since the start.
    pub(crate) times: u32,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bytes were lost on the line, {} times so far", self.times)
    }
}

impl core::error::Error for Lost {}

impl embedded_io_async::Error for Lost {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// What the line receives. A `read` that is dropped has taken nothing.
pub(crate) struct Rx {
    ring: Consumer<'static, u8>,
}

impl Rx {
    fn take(&mut self, buffer: &mut [u8]) -> Option<Result<usize, Lost>> {
        let mut count = 0;
        while let Some(place) = buffer.get_mut(count) {
            let Some(byte) = self.ring.dequeue() else { break };
            *place = byte;
            count += 1;
        }
        if count > 0 {
            unmask(INT_RX | INT_RX_TIMEOUT);
            return Some(Ok(count));
        }
        // Acquire pairs with the release in `receive`: if the mark is seen here, so is what was received before it.
        let mark = MARK.load(Ordering::Acquire);
        if mark == NO_MARK || !self.ring.is_empty() {
            return None;
        }
        MARK.store(NO_MARK, Ordering::Relaxed);
        unmask(INT_RX | INT_RX_TIMEOUT);
        Some(if mark == BREAK { Ok(0) } else { Err(Lost { times: OVERRUNS.load(Ordering::Relaxed) }) })
    }
}

impl ErrorType for Rx {
    type Error = Lost;
}

impl Read for Rx {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Lost> {
        if buffer.is_empty() {
            return Ok(0);
        }
        poll_fn(|cx| {
            if let Some(taken) = self.take(buffer) {
                return Poll::Ready(taken);
            }
            READABLE.register(cx.waker());
            // What came before `register` woke nobody.
            self.take(buffer).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// What the line sends. A `write` that is dropped has sent nothing.
pub(crate) struct Tx {
    ring: Producer<'static, u8>,
}

impl Tx {
    fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.iter().take_while(|byte| self.ring.enqueue(**byte).is_ok()).count();
        if count > 0 {
            // The UART asks for more only after it has sent something: the first bytes are handed to it here.
            critical_section::with(|cs| {
                if let Some(ends) = ENDS.borrow_ref_mut(cs).as_mut() {
                    send(ends);
                }
            });
        }
        count
    }
}

impl ErrorType for Tx {
    type Error = Infallible;
}

impl Write for Tx {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        poll_fn(|cx| {
            let mut count = self.put(bytes);
            if count == 0 {
                WRITABLE.register(cx.waker());
                count = self.put(bytes);
            }
            if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        poll_fn(|cx| {
            if self.ring.is_empty() {
                return Poll::Ready(Ok(()));
            }
            WRITABLE.register(cx.waker());
            if self.ring.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
        })
        .await
    }
}

#[interrupt]
fn UART0() {
    critical_section::with(|cs| {
        let mut ends = ENDS.borrow_ref_mut(cs);
        let Some(ends) = ends.as_mut() else { return };
        receive(ends);
        send(ends);
    });
    READABLE.wake();
    WRITABLE.wake();
}

/// From the FIFO to the ring, as far as there is room and no mark between.
fn receive(ends: &mut Ends) {
    // SAFETY: registers of UART 0, inside a critical section; reading DR takes from the FIFO, whose one reader this is.
    unsafe {
        while FR.read_volatile() & FR_RX_EMPTY == 0 {
            if !ends.received.ready() || MARK.load(Ordering::Relaxed) != NO_MARK {
                // The interrupt stays asserted, so unmasking it is enough to come back.
                IM.write_volatile(IM.read_volatile() & !(INT_RX | INT_RX_TIMEOUT));
                return;
            }
            let data = DR.read_volatile();
            if data & DR_OVERRUN != 0 {
                OVERRUNS.store(OVERRUNS.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
                MARK.store(OVERRUN, Ordering::Release);
            } else if data & DR_BREAK != 0 {
                MARK.store(BREAK, Ordering::Release);
            } else {
                // There is room: `ready` said so, and this is the only producer.
                let _ = ends.received.enqueue(data as u8);
            }
        }
    }
}

/// From the ring to the FIFO, as far as there is room; the interrupt is let through as long as there is more.
fn send(ends: &mut Ends) {
    // SAFETY: registers of UART 0, inside a critical section.
    unsafe {
        ICR.write_volatile(INT_TX);
        while FR.read_volatile() & FR_TX_FULL == 0 {
            let Some(byte) = ends.to_send.dequeue() else {
                IM.write_volatile(IM.read_volatile() & !INT_TX);
                return;
            };
            DR.write_volatile(u32::from(byte));
        }
        IM.write_volatile(IM.read_volatile() | INT_TX);
    }
}

fn unmask(which: u32) {
    // SAFETY: a register of UART 0, inside a critical section.
    critical_section::with(|_| unsafe { IM.write_volatile(IM.read_volatile() | which) });
}
