//! Instructions an operation on an emulated Cortex-M, and what whole programs occupy. `tests/firmware/bench/measure`
//! tells how they are counted; two runs give the same numbers.

use std::{fs, path::PathBuf, time::Duration};

use super::{Asked, elf};
use crate::{
    child::{Outcome, ask, failed, run},
    embedded::{CHIPS, Toolchain},
    place::BUILD,
};

/// A test, what it counts, and the goal on a Cortex-M3.
const COUNTS: &[(&str, &str, u32)] = &[
    ("yield2", "task switch, 2 tasks", 60),
    ("yield32", "task switch, 32 tasks", 60),
    ("queue16", "a message through a queue of 16", 100),
    ("queue1", "a message through a queue of 1", 300),
    ("mutex_free", "mutex, nobody else", 40),
    ("mutex_contended", "mutex, 2 tasks, held over a yield", 255),
    ("mutex8", "mutex, 8 tasks, held over 16 yields", 1250),
    ("timer1", "expiry and new deadline, 1 sleeper", 190),
    ("timer64", "the same, 64 due together", 205),
    ("stagger64", "the same, 64 in turn", 320),
    ("irq_wake", "from an interrupt to the task", 80),
];

/// A whole program, and the goals for flash and for RAM with its stack.
const PROGRAMS: &[(&str, u64, u64)] = &[("blinky", 1200, 200), ("ten", 2800, 1000)];

const SIDES: [&str; 2] = ["corio", "embassy"];

pub(super) fn bench(asked: &Asked) -> Outcome {
    let tools = Toolchain::get()?;
    let wanted = |name: &str| asked.only.as_ref().is_none_or(|only| name.starts_with(only.as_str()));
    let chips = if asked.quick { &CHIPS[1..] } else { &CHIPS[..] };
    let mut tables = String::new();
    for &(target, chip) in chips {
        let goals = chip == "cortex-m3";
        let side = |side: &'static str| Side { tools, target, chip, side };
        let mut rows = String::new();
        for side in SIDES.map(side) {
            side.build("")?;
        }
        // Proves that what is counted is instructions.
        let calibration = side(SIDES[0]).count("calib")?;
        if (calibration - 2.0).abs() > 0.01 {
            return failed(format!(
                "a loop of 2 instructions counts as {calibration}: QEMU does not count instructions"
            ));
        }
        for (test, about, goal) in COUNTS.iter().filter(|(test, ..)| wanted(test)) {
            let (ours, peer) = (side(SIDES[0]).count(test)?, side(SIDES[1]).count(test)?);
            let goal = if goals { format!(" {goal} |") } else { String::new() };
            rows.push_str(&format!("| {about} | {ours:.0} | {peer:.0} | {:.2} |{goal}\n", ours / peer));
        }
        if !rows.is_empty() {
            let (head, line) = if goals { (" goal |", "--:|") } else { ("", "") };
            tables.push_str(&format!("\n| {target}: instructions | corio | embassy | ratio |{head}\n"));
            tables.push_str(&format!("|---|--:|--:|--:|{line}\n{rows}"));
        }

        let mut rows = String::new();
        for (program, flash, ram) in PROGRAMS.iter().filter(|(program, ..)| wanted(program)) {
            let ours = side(SIDES[0]).occupied(program)?;
            let peer = side(SIDES[1]).occupied(program)?;
            let goal = if goals { format!(" {flash} / {ram} |") } else { String::new() };
            rows.push_str(&format!(
                "| {program} | {} / {} | {} / {} |{goal}\n",
                ours.flash, ours.ram, peer.flash, peer.ram
            ));
        }
        if !rows.is_empty() {
            let (head, line) = if goals { (" goal |", "--:|") } else { ("", "") };
            tables.push_str(&format!("\n| {target}: bytes of flash / RAM with stack | corio | embassy |{head}\n"));
            tables.push_str(&format!("|---|--:|--:|{line}\n{rows}"));
        }
    }
    println!("{tables}");
    Ok(())
}

/// One side of the comparison, on one chip.
struct Side {
    tools: &'static Toolchain,
    target: &'static str,
    chip: &'static str,
    side: &'static str,
}

impl Side {
    fn build(&self, features: &str) -> Outcome {
        let Self { target, side, .. } = self;
        let words = format!(
            "build --release --manifest-path tests/firmware/bench/{side}/Cargo.toml --target {target} {features}"
        );
        run(&mut self.tools.cargo(&words), BUILD)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.tools.target_dir().join(self.target).join("release").join(format!("{}-{name}", self.side))
    }

    /// Instructions an operation.
    fn count(&self, test: &str) -> Outcome<f64> {
        let printed = self.boot("counts", &format!(",arg={test}"))?;
        let value = printed.lines().find_map(|line| line.strip_prefix(test)?.trim().parse().ok());
        value.map_or_else(|| failed(format!("{} {test} printed {printed:?}", self.side)), Ok)
    }

    /// What a whole program occupies, with the most stack that it ever used.
    fn occupied(&self, program: &str) -> Outcome<elf::Size> {
        let plain = if self.side == "corio" { "--no-default-features --features whole" } else { "" };
        self.build(plain)?;
        let path = self.program(program);
        let Some(mut size) = elf::size(&fs::read(&path)?) else {
            return failed(format!("{} is no firmware", path.display()));
        };
        let measured = if self.side == "corio" { "--no-default-features --features stack" } else { "--features stack" };
        self.build(measured)?;
        let printed = self.boot(program, "")?;
        let stack: Option<u64> = printed.lines().find_map(|line| line.strip_prefix("stack ")?.trim().parse().ok());
        match stack {
            Some(stack) => size.ram += stack,
            None => return failed(format!("{} {program} printed {printed:?}", self.side)),
        }
        Ok(size)
    }

    fn boot(&self, program: &str, arguments: &str) -> Outcome<String> {
        let mut qemu = self.tools.qemu(self.chip);
        qemu.args(["-serial", "none", "-icount", "shift=0,sleep=off", "-semihosting-config"]);
        qemu.arg(format!("enable=on,target=native{arguments}")).arg("-kernel").arg(self.program(program));
        ask(&mut qemu, "", Duration::from_secs(120))
    }
}
