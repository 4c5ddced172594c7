//! Process groups: the one thing here that differs between systems.

#[cfg(unix)]
mod system {
    use std::{os::unix::process::CommandExt, process::Command};

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    /// The program will lead a process group of its own, which has its id.
    pub(crate) fn lead(command: &mut Command) {
        command.process_group(0);
    }

    pub(crate) fn interrupt(id: u32) {
        send(id, Signal::INT);
    }

    pub(crate) fn terminate(id: u32) {
        send(id, Signal::TERM);
    }

    pub(crate) fn kill(id: u32) {
        send(id, Signal::KILL);
    }

    /// The leader has ended. It is not reaped by this, so its id stays taken.
    pub(crate) fn leader_is_over(id: u32) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        pid(id).is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), look), Ok(None)))
    }

    fn send(id: u32, signal: Signal) {
        if let Some(pid) = pid(id) {
            // A group that is gone needs no signal.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn pid(id: u32) -> Option<Pid> {
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }
}

/// Elsewhere a child is ended by its handle alone.
#[cfg(not(unix))]
mod system {
    use std::process::Command;

    pub(crate) fn lead(_: &mut Command) {}
    pub(crate) fn interrupt(_: u32) {}
    pub(crate) fn terminate(_: u32) {}
    pub(crate) fn kill(_: u32) {}
    pub(crate) fn leader_is_over(_: u32) -> bool {
        true
    }
}

pub(crate) use system::{interrupt, kill, lead, leader_is_over, terminate};
