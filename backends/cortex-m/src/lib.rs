//! corio on Cortex-M.
#![no_std]
