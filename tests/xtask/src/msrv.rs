//! The oldest compiler: no dependency asks for a newer one than we state.
//!
//! That our own code uses nothing newer is clippy's part (`incompatible_msrv`), which is on in the whole workspace.

use crate::{
    child::{Outcome, failed},
    place::metadata,
};

/// Workspaces whose users build them: the top one, and the firmware examples.
const WORKSPACES: [&str; 2] = ["", "examples/firmware"];

/// Checks every package of the dependency trees; says the version and how many packages were seen.
pub(crate) fn check() -> Outcome<String> {
    let (mut stated, mut count, mut newer) = (Version::default(), 0, String::new());
    for workspace in WORKSPACES {
        let metadata = metadata(workspace, "")?;
        let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
        let wants = |package: &serde_json::Value| package["rust_version"].as_str().map_or(Version::default(), version);
        let own = |package: &&serde_json::Value| package["source"].is_null();
        let mut ours = packages.iter().filter(own).map(wants);
        stated = ours.next().unwrap_or_default();
        if stated == Version::default() || ours.any(|other| other != stated) {
            return failed(format!("the packages of {workspace:?} do not all state the same rust-version"));
        }
        for package in packages.iter().filter(|package| wants(package) > stated) {
            newer
                .push_str(&format!("\n  {} {} wants {}", package["name"], package["version"], package["rust_version"]));
        }
        count += packages.len();
    }
    if !newer.is_empty() {
        return failed(format!("dependencies want a newer Rust than {}.{}:{newer}", stated.0, stated.1));
    }
    Ok(format!("Rust {}.{}, {count} packages", stated.0, stated.1))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

fn version(text: &str) -> Version {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    Version(next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(version("1.9") < version("1.10"));
        assert!(version("1.87") == version("1.87.0"));
        assert!(version("1.87.1") > version("1.87"));
    }
}
