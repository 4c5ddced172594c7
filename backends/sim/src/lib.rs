//! corio in virtual time.
