//! A key-value server.
#![no_std]
