//! What the server takes in a microcontroller's memory: everything that lives as long as it runs.

use core::convert::Infallible;
use core::future::pending;

use corio_kv::{Bounded, Server, serve};
use embedded_io_async::{ErrorType, Read, Write};

struct Line;

impl ErrorType for Line {
    type Error = Infallible;
}

impl Read for Line {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Infallible> {
        pending().await
    }
}

impl Write for Line {
    async fn write(&mut self, _: &[u8]) -> Result<usize, Infallible> {
        pending().await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// Sizes with 64-bit pointers; with 32-bit ones they are smaller (19,352 + 1,768 + 80 bytes on a Cortex-M3).
#[test]
fn server_session_and_expiry_fit_into_a_third_of_64_kib() {
    let server = Server::<Bounded<1, 16_384, 1_024, 2_048, 8, 32>>::bounded();
    let (session, expiry) = (serve(Line, Line, &server), server.expire());
    let sizes = [size_of_val(&server), size_of_val(&session), size_of_val(&expiry)];
    assert!(sizes[0] <= 16_384 + 2_048 + 1_300, "{sizes:?}");
    assert!(sizes[1] <= 1_024 + 1_100, "{sizes:?}");
    assert!(sizes[2] <= 200, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() <= 22_000, "{sizes:?}");
}

/// It can be made at compile time, where it will stay.
#[test]
fn a_bounded_server_is_a_constant() {
    let server = const { Server::<Bounded>::bounded() };
    assert_eq!(server.keys(), 0);
}
