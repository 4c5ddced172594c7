//! Tests that need a heap, threads and unwinding.
