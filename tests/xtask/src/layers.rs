//! The layering of core: who may use whom.
//!
//! [`TABLE`] is the rule, read from top to bottom: a row uses only rows above it, and of those only the ones it names.
//! Within a folder files are free. What a file uses is found by following its `crate::` and `super::` paths through the
//! re-exports to where each item is defined, so that a façade (`crate::Instant`, `task::StoredWaker`) hides nothing.
//! What only tests have (`#[cfg(test)]`) may use anything.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use crate::child::{Outcome, failed};

/// A row: a module, what it may use, and why it stands there.
struct Row {
    module: &'static str,
    uses: &'static [&'static str],
    why: &'static str,
}

const fn row(module: &'static str, uses: &'static [&'static str], why: &'static str) -> Row {
    Row { module, uses, why }
}

/// core/src, from the ground up.
const TABLE: &[Row] = &[
    row("sync", &[], "atomics, cells and the short lock: the only code that knows the platform"),
    row("time", &[], "instants are numbers; nothing here reads a clock"),
    row("reactor", &["time"], "all that a backend supplies"),
    row("task", &["sync", "reactor"], "slots, wakers and bodies; a waker unparks the reactor of its loop"),
    row(
        "timers",
        &["time", "task::stored", "task::slot", "task::awaited"],
        "deadlines in order; an entry holds the waker of who sleeps",
    ),
    row("wait", &["sync", "task::stored"], "lines of waiters; of a task they know its waker, which may be foreign"),
    row("context::table", &[], "what context variables are set to: data, which the loop keeps for its tasks"),
    row("context::frame", &[], "the same without an allocator"),
    row(
        "sched",
        &["sync", "time", "reactor", "task", "timers", "context::table", "context::frame"],
        "one turn of the loop, and which loop is running",
    ),
    row("context", &["sched"], "whose step is under way, and so which context is the current one, the loop knows"),
    row("task::body", &["sync", "task", "sched"], "one step of a task: it settles with the loop that makes it"),
    row("task::pool", &["sync", "task", "sched"], "static storage spawns on the running loop"),
    row("task::callback", &["sync", "task", "sched"], "an entry of the running loop's queue that is no task"),
    row("task::watch", &["sync", "task", "sched"], "other tasks of the running loop, seen from beside"),
    row("task::child", &["sync", "task", "sched"], "a task that is spawned on the running loop for a group"),
    row("scope", &["sched"], "the running loop says when a task unwinds"),
    row(
        "sleep",
        &["time", "task::stored", "task::slot", "task::awaited", "timers", "sched"],
        "a deadline in the running loop's timers",
    ),
    row(
        "timeout",
        &["time", "task::slot", "task::stored", "task::awaited", "sched", "scope", "sleep"],
        "a scope with a deadline",
    ),
    row("limit", &["time", "task::stored", "sched", "scope", "sleep", "timeout"], "a timeout that others can move"),
    row("finally", &["task::slot", "sched", "scope", "timeout"], "a scope with two parts, the second in a timeout"),
    row("group", &["task", "sched", "scope"], "a scope that waits for its tasks"),
    row("future", &["sync", "task", "wait", "sched::current"], "a line, and what a cancellation is passed on to"),
    row(
        "combine",
        &["time", "task", "wait", "sched", "scope", "sleep", "timeout", "future"],
        "futures side by side, and tasks waited for",
    ),
    row("calls", &["time", "sched", "sleep"], "entries of the running loop's queue, some behind a sleep"),
    row("done", &["task", "wait", "sched", "future"], "such entries behind the end of a task or of a future"),
    row("locks", &["sync", "task::stored", "wait"], "state and a line: they know no loop, so any executor will do"),
    row("locks::condition", &["sync", "task::stored", "wait", "scope"], "a cancelled wait takes its lock again first"),
    row("queues", &["sync", "task::stored", "wait"], "as the locks"),
    row("runner", &["sync", "time", "reactor", "task", "sched"], "the loop and its reactor, put together"),
    row(
        "combine::tests",
        &["time", "reactor", "task", "sched", "scope", "sleep", "timeout", "combine", "runner"],
        "whole loops",
    ),
    row("sched::tests", &["time", "reactor", "task", "sched", "sleep", "timeout", "runner"], "whole loops"),
    row("generator", &[], "a body and its consumer, face to face: nothing of the loop is between them"),
];

/// Checks the folder `core/src`; says how many imports it followed.
pub(crate) fn check(source: &Path) -> Outcome<String> {
    let crate_ = Crate::read(source)?;
    let mut wrong = String::new();
    let mut count = 0;
    for (file, module) in &crate_.files {
        for used in module.used.iter().filter_map(|path| crate_.resolve(path)).filter(|used| used != file) {
            count += 1;
            if let Err(why) = allowed(file, &used) {
                let _ = writeln!(wrong, "  {} uses {}: {why}", file.join("::"), used.join("::"));
            }
        }
    }
    for file in crate_.files.keys().filter(|file| !file.is_empty() && row_of(file).is_none()) {
        let _ = writeln!(wrong, "  {} has no row", file.join("::"));
    }
    for row in TABLE.iter().filter(|row| !crate_.files.contains_key(&split(row.module))) {
        let _ = writeln!(wrong, "  the row {} has no module", row.module);
    }
    if wrong.is_empty() {
        return Ok(format!("{count} imports of {} files", crate_.files.len()));
    }
    failed(format!("imports in core/src break the layering, see tests/xtask/src/layers.rs:\n{wrong}"))
}

type Path_ = Vec<String>;

fn split(path: &str) -> Path_ {
    path.split("::").map(str::to_owned).collect()
}

fn starts_with(path: &[String], prefix: &str) -> bool {
    path.len() >= prefix.split("::").count() && prefix.split("::").zip(path).all(|(a, b)| a == b)
}

/// The most particular row for a module.
fn row_of(module: &[String]) -> Option<&'static Row> {
    let rows = TABLE.iter().filter(|row| starts_with(module, row.module));
    rows.max_by_key(|row| row.module.len())
}

fn allowed(from: &[String], to: &[String]) -> Result<(), String> {
    // lib.rs is the table of contents; a folder is free within.
    if from.is_empty() || to.is_empty() || from[0] == to[0] {
        return Ok(());
    }
    match row_of(from) {
        Some(row) if row.uses.iter().any(|used| starts_with(to, used)) => Ok(()),
        Some(row) => Err(format!("its row allows {} ({})", row.uses.join(", "), row.why)),
        None => Err("it has no row".into()),
    }
}

/// The modules of a crate by path, `lib.rs` being the empty one.
struct Crate {
    files: BTreeMap<Path_, Module>,
}

#[derive(Default)]
struct Module {
    /// What it uses: absolute paths, from the crate's root.
    used: Vec<Path_>,
    /// Names that it re-exports or imports, with where they lead.
    names: BTreeMap<String, Path_>,
    /// Modules in files of their own.
    children: Vec<String>,
}

impl Crate {
    fn read(source: &Path) -> Outcome<Self> {
        let mut files = BTreeMap::new();
        read_tree(&source.join("lib.rs"), source, &[], &mut files)?;
        Ok(Self { files })
    }

    /// The module in which what `path` names is defined; `None` if it is not of this crate.
    fn resolve(&self, path: &[String]) -> Option<Path_> {
        let mut module = Vec::new();
        let mut rest = path.to_vec();
        rest.reverse();
        // A cycle of imports does not compile; the bound is for a tree that does not either.
        for _ in 0..32 {
            let Some(name) = rest.pop() else { break };
            module.push(name);
            if self.files.contains_key(&module) {
                continue;
            }
            let mut own = module.clone();
            let name = module.pop()?;
            own.extend(rest.iter().rev().cloned());
            match self.files[&module].names.get(&name) {
                // A macro is exported under its own name.
                Some(target) if own.starts_with(target) => break,
                Some(target) if target.first().is_some_and(|first| self.files.contains_key(&vec![first.clone()])) => {
                    module.clear();
                    rest.extend(target.iter().rev().cloned());
                }
                Some(_) => return None,
                None => break,
            }
        }
        Some(module)
    }
}

/// Reads a file, and those of the modules that it declares.
fn read_tree(file: &Path, folder: &Path, module: &[String], files: &mut BTreeMap<Path_, Module>) -> Outcome {
    let read = read_module(&fs::read_to_string(file)?, module);
    for name in &read.children {
        let inside = folder.join(name);
        let own = [module, std::slice::from_ref(name)].concat();
        let flat = inside.with_extension("rs");
        let file = if flat.exists() { flat } else { inside.join("mod.rs") };
        read_tree(&file, &inside, &own, files)?;
    }
    files.insert(module.to_vec(), read);
    Ok(())
}

fn read_module(text: &str, module: &[String]) -> Module {
    let tokens = without_tests(tokens(text));
    let mut read = Module::default();
    // Modules written inside the file, each with the depth of its brace.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0, 0);
    while at < tokens.len() {
        let here = || module.iter().chain(inline.iter().map(|(name, _)| name)).cloned().collect::<Path_>();
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.pop_if(|(_, opened)| *opened == depth);
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token == "{") => {
                inline.push((tokens[at + 1].clone(), depth));
                at += 1;
            }
            "mod" if tokens.get(at + 2).is_some_and(|token| token == ";") => read.children.push(tokens[at + 1].clone()),
            "use" => {
                let end = tokens[at..].iter().position(|token| token == ";").map_or(tokens.len(), |n| at + n);
                let mut leaves = Vec::new();
                use_tree(&tokens[at + 1..end], &[], &mut leaves);
                for (path, name) in leaves {
                    let path = absolute(&path, &here());
                    if name != "*" && inline.is_empty() {
                        read.names.insert(name, path.clone());
                    }
                    read.used.push(path);
                }
                at = end;
            }
            "crate" | "super" => {
                let mut path = vec![tokens[at].clone()];
                while tokens.get(at + 1).is_some_and(|token| token == "::")
                    && tokens.get(at + 2).is_some_and(|token| is_word(token))
                {
                    path.push(tokens[at + 2].clone());
                    at += 2;
                }
                if path.len() > 1 {
                    read.used.push(absolute(&path, &here()));
                }
            }
            _ => {}
        }
        at += 1;
    }
    read
}

/// The leaves of a `use` tree: the path, and the name it gets here (`*` for a glob).
fn use_tree(tokens: &[String], prefix: &[String], leaves: &mut Vec<(Path_, String)>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                let mut depth = 0;
                let mut start = at + 1;
                for (n, token) in tokens.iter().enumerate().skip(at) {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    if (token == "," && depth == 1) || depth == 0 {
                        if n > start {
                            use_tree(&tokens[start..n], &path, leaves);
                        }
                        start = n + 1;
                    }
                    if depth == 0 {
                        break;
                    }
                }
                return;
            }
            "*" => return leaves.push((path, "*".into())),
            "self" => {
                if path.is_empty() {
                    path.push("self".into());
                }
            }
            "as" => {
                let name = tokens.get(at + 1).cloned().unwrap_or_default();
                return leaves.push((path, name));
            }
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    let name = path.last().cloned().unwrap_or_default();
    leaves.push((path, name));
}

/// `path` as seen from the crate's root.
fn absolute(path: &[String], module: &[String]) -> Path_ {
    let mut base = match path.first().map(String::as_str) {
        Some("crate") => Vec::new(),
        Some("self" | "super") => module.to_vec(),
        // A module of this one, or another crate, which then looks like an item of this one: that is nobody's import.
        _ => return module.iter().chain(path).cloned().collect(),
    };
    for word in path {
        match word.as_str() {
            "crate" | "self" => {}
            "super" => drop(base.pop()),
            word => base.push(word.to_owned()),
        }
    }
    base
}

/// Drops the items that only tests have: those under a `#[cfg(…)]` that has the word `test`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let attribute = tokens[at..].iter().take(3).eq(["#", "[", "cfg"]);
        let end = tokens[at..].iter().position(|token| token == "]").map_or(tokens.len(), |n| at + n + 1);
        let words = &tokens[at..end];
        if !attribute || !words.iter().any(|word| word == "test") || words.iter().any(|word| word == "not") {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        at = end;
        let mut depth = 0;
        while at < tokens.len() {
            match tokens[at].as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            at += 1;
            if depth == 0 && matches!(tokens[at - 1].as_str(), ";" | "}") {
                break;
            }
        }
    }
    kept
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Words, `::` and single signs; no comments, strings or characters.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest) {
            length
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // A lifetime has no second quote after one character.
            let character = rest[1..].starts_with('\\') || rest[1..].chars().nth(1) == Some('\'');
            if character { quoted(rest, '\'') } else { 1 }
        } else if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".into());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.into());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += rest.chars().next().map_or(0, char::len_utf8);
        }
        if depth == 0 || at >= text.len() {
            return at;
        }
    }
}

/// The length of `r"…"`, `r#"…"#` and so on, if one starts here.
fn raw_string(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.bytes().take_while(|&b| b == b'#').count();
    let body = text[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(1 + hashes + 1 + body.find(&end).map_or(body.len(), |at| at + end.len()))
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_of(files: &[(&str, &str)]) -> Crate {
        let files = files.iter().map(|(module, text)| {
            let module = if module.is_empty() { Vec::new() } else { split(module) };
            (module.clone(), read_module(text, &module))
        });
        Crate { files: files.collect() }
    }

    fn used(crate_: &Crate, module: &str) -> Vec<String> {
        let used = crate_.files[&split(module)].used.iter().filter_map(|path| crate_.resolve(path));
        used.map(|path| path.join("::")).collect()
    }

    #[test]
    fn a_name_is_followed_to_where_it_is_defined() {
        let crate_ = crate_of(&[
            ("", "mod task; mod wait; pub use task::{Task, StoredWaker as Waker}; pub use core::time::Duration;"),
            ("task", "mod stored; mod handle; pub(crate) use stored::StoredWaker; pub use handle::*; pub struct Task;"),
            ("task::stored", "pub struct StoredWaker;"),
            ("task::handle", "use super::StoredWaker; fn f() { crate::wait::Line::new() }"),
            ("wait", "use crate::{Waker, Duration, task::{self, Task}}; pub struct Line;"),
        ]);
        assert_eq!(used(&crate_, "wait"), ["task::stored", "task", "task"]);
        assert_eq!(used(&crate_, "task::handle"), ["task::stored", "wait"]);
    }

    #[test]
    fn comments_strings_and_tests_use_nothing() {
        let crate_ = crate_of(&[
            ("", ""),
            ("wait", ""),
            (
                "time",
                r##"
                //! crate::wait
                /* crate::wait /* nested */ */
                const A: &str = "crate::wait"; const B: &str = r#"crate::wait"#; const C: char = '"';
                fn f<'a>(a: &'a str) {}
                #[cfg(test)]
                mod tests { use crate::wait; fn f() { {} } }
                #[cfg(all(loom, test))]
                mod models;
                mod inner { use super::Instant; }
                "##,
            ),
        ]);
        assert_eq!(used(&crate_, "time"), ["time"]);
        assert!(crate_.files[&split("time")].children.is_empty());
    }

    #[test]
    fn a_row_uses_rows_above_it_and_nothing_else() {
        for (n, row) in TABLE.iter().enumerate() {
            for used in row.uses {
                assert!(
                    TABLE[..n].iter().any(|above| starts_with(&split(used), above.module)),
                    "{}: {used}",
                    row.module
                );
            }
        }
        assert!(allowed(&split("locks::mutex"), &split("wait::queue")).is_ok());
        assert!(allowed(&split("locks::mutex"), &split("task::stored")).is_ok());
        assert!(allowed(&split("locks::mutex"), &split("task::slot")).is_err());
        assert!(allowed(&split("task::pool"), &split("sched::current")).is_ok());
        assert!(allowed(&split("task::slot"), &split("sched::current")).is_err());
        assert!(allowed(&split("nowhere"), &split("task")).is_err());
    }
}
