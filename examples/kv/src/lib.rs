//! A key-value server that speaks the Redis protocol (RESP2), written once for three worlds.
//!
//! The same code is a server on a host, firmware on a microcontroller with 64 KiB of memory, and a program in a
//! simulator. It is generic over its streams (the halves of a TCP connection, a UART, a pipe in memory: anything with
//! `embedded-io-async`'s traits) and over its storage ([`Memory`]: [`Heap`] or [`Bounded`]). It has no clock, no
//! socket and no allocator of its own; time and tasks are corio's.
//!
//! ```
//! use corio_kv::{Bounded, Server, serve};
//! # struct Client(&'static [u8]);
//! # impl embedded_io_async::ErrorType for Client { type Error = core::convert::Infallible; }
//! # impl embedded_io_async::Read for Client {
//! #     async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error> {
//! #         let count = self.0.len().min(into.len());
//! #         into[..count].copy_from_slice(&self.0[..count]);
//! #         self.0 = &self.0[count..];
//! #         Ok(count)
//! #     }
//! # }
//! # corio_sim::run(async {
//! let server = Server::<Bounded>::bounded(); // a table in the type: no heap
//! let mut replies = [0; 64];
//! let client = Client(b"SET greeting hello\r\nGET greeting\r\n"); // all that it will ever send
//! serve(client, replies.as_mut_slice(), &server).await.unwrap();
//! assert!(replies.starts_with(b"+OK\r\n$5\r\nhello\r\n"));
//! # });
//! ```
//!
//! A host runs [`serve`] in a task for every connection, firmware in a future for its one stream; and one task runs
//! [`Server::expire`].
//!
//! What a reply looks like is Redis 7's affair, down to the texts of errors. What clients may make the server hold is
//! in [`Limits`].
//!
//! # Features
//! - `alloc`: [`Heap`], storage that grows up to its limits.
//! - `hosted` (default): the program `kv`. Firmware turns the default features off.
#![no_std]

#[cfg(feature = "alloc")]
extern crate alloc;

mod blocking;
mod bounded;
mod client;
mod command;
mod ended;
mod exec;
#[cfg(feature = "alloc")]
mod heap;
mod info;
mod keyspace;
mod limits;
mod memory;
mod number;
mod pubsub;
mod query;
mod reply;
pub mod resp;
mod roster;
mod server;
mod session;
mod store;
mod table;

pub use bounded::{Block, Bounded, BoundedRoster, BoundedStore, Ring};
pub use client::Client;
pub use ended::{Ended, StreamError};
#[cfg(feature = "alloc")]
pub use heap::{Heap, HeapRoster, HeapStore, Pending};
pub use keyspace::{Keyspace, Left, Only, Refused, Unless};
pub use limits::Limits;
pub use memory::{Area, Full, List, Memory, Output};
pub use roster::{ClientId, Roster};
pub use server::Server;
pub use session::serve;
pub use store::{End, Entry, Store, Value};
