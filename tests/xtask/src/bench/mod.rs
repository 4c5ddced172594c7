//! `cargo xtask bench`: corio beside its peers, as tables in Markdown.

mod elf;
mod firmware;

use crate::{
    Mistake,
    child::{Outcome, run},
    options::Options,
    place::{BUILD, cargo, target_dir},
};

/// What was asked for.
struct Asked {
    quick: bool,
    only: Option<String>,
}

pub(crate) fn bench(words: &[String]) -> Result<(), Mistake> {
    let (mut host, mut firmware) = (false, false);
    let mut asked = Asked { quick: false, only: None };
    let mut options = Options::new(words);
    while let Some(option) = options.next()? {
        match option {
            "--quick" => asked.quick = true,
            "--host" => host = true,
            "--firmware" => firmware = true,
            "--only" => asked.only = Some(options.value()?.to_owned()),
            _ => return options.unknown(),
        }
    }
    let both = host == firmware;
    if host || both {
        on_host(&asked)?;
    }
    if firmware || both {
        firmware::bench(&asked)?;
    }
    Ok(())
}

/// The program `bench` builds nothing: it measures, and prints its tables.
fn on_host(asked: &Asked) -> Outcome {
    let mut bench = cargo("run --release --manifest-path tests/benches/Cargo.toml --bin bench --");
    bench.env("CARGO_TARGET_DIR", target_dir()?);
    if asked.quick {
        bench.arg("--quick");
    }
    if let Some(name) = &asked.only {
        bench.args(["--only", name]);
    }
    run(&mut bench, BUILD * 4)
}
