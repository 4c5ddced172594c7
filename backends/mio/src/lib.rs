//! corio on hosted operating systems.
