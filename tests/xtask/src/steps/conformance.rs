//! The conformance scenarios on emulated chips that have a heap: there too the traces are CPython's, byte for byte.
//!
//! The image in `tests/firmware/conformance` runs a list of scenarios in one boot, each twice, and tells the trace, what
//! it took of the heap, or what went wrong. Everything is compared here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    time::Duration,
};

use crate::{
    child::{Outcome, Trouble, ask, failed, run},
    embedded::Toolchain,
    place::{BUILD, root},
};

const MANIFEST: &str = "tests/firmware/conformance/Cargo.toml";
/// All scenarios take a second or two.
const PATIENCE: Duration = Duration::from_secs(600);

/// A chip, and the image for it.
struct Bed {
    name: &'static str,
    target: &'static str,
    features: &'static str,
    chip: &'static str,
    board: &'static str,
    clock: &'static str,
    /// What a scenario may take of the heap, to be run here.
    room: usize,
}

/// The first has room for everything: it tells what that is.
const BEDS: [Bed; 4] = [
    Bed {
        name: "M3",
        target: "thumbv7m-none-eabi",
        features: "",
        chip: "cortex-m3",
        board: "mps2-an385",
        clock: "virtual",
        room: usize::MAX,
    },
    Bed {
        name: "M3-tick",
        target: "thumbv7m-none-eabi",
        features: "",
        chip: "cortex-m3",
        board: "mps2-an385",
        clock: "systick",
        room: usize::MAX,
    },
    // Code without compare-and-swap. QEMU has no chip without it that has this memory, but a Cortex-M3 runs such code.
    Bed {
        name: "no-CAS",
        target: "thumbv6m-none-eabi",
        features: "",
        chip: "cortex-m3",
        board: "mps2-an385",
        clock: "virtual",
        room: usize::MAX,
    },
    // 44 KiB of heap, in which the list of holes must find room between what the program keeps.
    Bed {
        name: "M0-tick",
        target: "thumbv6m-none-eabi",
        features: "--features small",
        chip: "cortex-m0",
        board: "lm3s6965evb",
        clock: "systick",
        room: 32 << 10,
    },
];

/// What the image said of a scenario.
#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Trace {
        text: String,
        heap: usize,
    },
    /// Something is wrong.
    Else(&'a str),
}

pub(super) fn firmware() -> Outcome<String> {
    let scenarios = root().join("tests/conformance/scenarios");
    // What each takes of the heap, once that is known.
    let mut names: BTreeMap<String, usize> = scenario_names(&scenarios)?.into_iter().map(|name| (name, 0)).collect();
    let mut equal = Vec::new();
    let mut wrong = String::new();
    for bed in &BEDS {
        let fits: BTreeSet<_> = names.iter().filter(|(_, heap)| **heap <= bed.room).map(|(n, _)| n.clone()).collect();
        let printed = boot(bed, &fits)?;
        let said = report(&printed)?;
        if let Some(name) = fits.iter().find(|name| !said.contains_key(name.as_str())) {
            return failed(format!("{}: nothing is said of {name}", bed.name));
        }
        let mut good = BTreeSet::new();
        for (name, said) in said {
            let complaint = match said {
                Said::Else(what) => Some(what.to_owned()),
                Said::Trace { text, heap } => {
                    names.insert(name.to_owned(), heap);
                    difference(&fs::read_to_string(scenarios.join(format!("{name}.trace")))?, &text)
                }
            };
            match complaint {
                Some(complaint) => writeln!(wrong, "{name} ({}): {complaint}", bed.name).expect("writing to a string"),
                None => drop(good.insert(name.to_owned())),
            }
        }
        equal.push(good);
    }
    print!("{}", table(&equal));
    if !wrong.is_empty() {
        return failed(wrong);
    }
    let counts: Vec<_> = BEDS.iter().zip(&equal).map(|(bed, good)| format!("{} {}", bed.name, good.len())).collect();
    Ok(format!("equal: {}", counts.join(", ")))
}

fn scenario_names(folder: &Path) -> Outcome<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    Ok(names)
}

/// Builds the image, has it run these scenarios, and returns what it printed.
fn boot(bed: &Bed, names: &BTreeSet<String>) -> Outcome<String> {
    let tools = Toolchain::get()?;
    let Bed { target, features, clock, .. } = bed;
    run(&mut tools.cargo(&format!("build --release --manifest-path {MANIFEST} --target {target} {features}")), BUILD)?;
    let image = tools.target_dir().join(target).join("release/firmware-conformance");

    let list = tools.target_dir().join("conformance-firmware.list");
    let files: String = names.iter().map(|name| format!("tests/conformance/scenarios/{name}.json\n")).collect();
    fs::write(&list, files)?;
    let mut qemu = tools.qemu_with(bed.chip, bed.board);
    // Time passes by instructions: a scenario is not late because the machine is busy.
    qemu.args(["-serial", "none", "-icount", "shift=0,sleep=off", "-semihosting-config"]);
    // A comma in a value is doubled.
    let argument = format!("{clock} {}", list.display()).replace(',', ",,");
    qemu.arg(format!("enable=on,target=native,arg={argument}")).arg("-kernel").arg(image);
    ask(&mut qemu, "", PATIENCE).map_err(|trouble| match trouble {
        Trouble::Failed(text) => Trouble::Failed(format!("{}: {}", bed.name, ending(&text))),
        missing => missing,
    })
}

/// The first line and the last ones: an image that breaks off has printed many traces.
fn ending(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    let last = lines.len().saturating_sub(20).max(1).min(lines.len());
    [&lines[..lines.len().min(1)], &lines[last..]].concat().join("\n")
}

/// What was said of each scenario.
fn report(printed: &str) -> Outcome<BTreeMap<&str, Said<'_>>> {
    let mut said = BTreeMap::new();
    let (mut name, mut text) = ("", String::new());
    for line in printed.lines() {
        if let Some(next) = line.strip_prefix("== ") {
            name = next;
        } else if let Some(verdict) = line.strip_prefix("-- ") {
            let text = std::mem::take(&mut text);
            let heap = verdict.strip_prefix("trace, ").and_then(|rest| rest.strip_suffix(" bytes")?.parse().ok());
            let of_it = match heap {
                Some(heap) => Said::Trace { text, heap },
                None => Said::Else(verdict),
            };
            said.insert(name, of_it);
        } else {
            text.extend([line, "\n"]);
        }
    }
    if name == "end" { Ok(said) } else { failed(format!("the report breaks off after {name:?}")) }
}

/// Where two traces part.
fn difference(want: &str, got: &str) -> Option<String> {
    if want == got {
        return None;
    }
    let same = want.lines().zip(got.lines()).take_while(|(want, got)| want == got).count();
    let line = |text: &str| text.lines().nth(same).map_or_else(|| "nothing".to_owned(), |line| format!("{line:?}"));
    Some(format!("line {}: CPython has {}, the chip {}", same + 1, line(want), line(got)))
}

/// How many are equal, by area and bed.
fn table(equal: &[BTreeSet<String>]) -> String {
    let area = |name: &str| name.split('_').next().unwrap_or(name).to_owned();
    let mut areas = BTreeMap::<String, [usize; BEDS.len()]>::new();
    let mut total = [0; BEDS.len()];
    for (column, good) in equal.iter().enumerate() {
        for name in good {
            areas.entry(area(name)).or_default()[column] += 1;
            total[column] += 1;
        }
    }
    let mut text = String::new();
    let mut row = |first: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>10}")).collect();
        writeln!(text, "{first:10}{cells}").expect("writing to a string");
    };
    row("area", &BEDS.map(|bed| bed.name.to_owned()));
    for (area, counts) in &areas {
        row(area, &counts.map(|count| count.to_string()));
    }
    row("total", &total.map(|count| count.to_string()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_tells_of_each_scenario() {
        let printed = "== a\nt=0 main: x\nt=0 end ok\n-- trace, 512 bytes\n== b\n-- mistake: unknown op x\n\
                       == c\n-- leaks 8 bytes\n== end\n";
        let said = report(printed).unwrap();
        assert_eq!(said["a"], Said::Trace { text: "t=0 main: x\nt=0 end ok\n".to_owned(), heap: 512 });
        assert_eq!(said["b"], Said::Else("mistake: unknown op x"));
        assert_eq!(said["c"], Said::Else("leaks 8 bytes"));
    }

    #[test]
    fn a_report_without_its_end_is_none() {
        assert!(report("== a\nt=0 main: x\n").unwrap_err().to_string().contains("\"a\""));
        assert!(report("").is_err());
    }

    #[test]
    fn traces_part_at_a_line() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "line 2: CPython has \"b\", the chip \"c\"");
        assert_eq!(difference("a\nb\n", "a\n").unwrap(), "line 2: CPython has \"b\", the chip nothing");
    }
}
