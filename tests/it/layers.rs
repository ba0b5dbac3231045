//! The layers of the workspace: the packages and modules that each of them may import. Files must not import each other
//! in a circle.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::imports::{Sources, code_of};

/// The packages of the workspace, with those that each may depend on.
const PACKAGES: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("graphql-front", &["rows"]),
    ("private-postgres", &[]),
    ("roster", &["domain"]),
    ("rows", &["rows-macros"]),
    ("rows-macros", &[]),
];

/// The modules of the registry, with those that each may import.
const LAYERS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("telemetry", &[]),
    ("store", &["clock"]),
    ("actions", &["store", "clock"]),
    ("graphql", &["actions", "store", "clock"]),
    ("http", &["graphql", "actions", "store", "clock", "telemetry"]),
    ("demo", &["store", "clock"]),
    ("config", &["http", "graphql", "store"]),
    ("cli", &["config", "demo", "http", "graphql", "actions", "store", "clock", "telemetry"]),
];

/// Words that the sources of a layer must not contain, besides the modules that it may not import.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "crates/domain/src",
        &["async_graphql", "axum", "tokio", ".await", "async fn", "Utc::now", "Local::now", "SystemTime"],
    ),
    ("crates/roster/src", &["sqlx", "async_graphql", "axum"]),
    ("crates/graphql-front/src", &["sqlx", "domain::"]),
    ("src/store", &["async_graphql", "axum", "graphql_front"]),
    ("src/actions", &["async_graphql", "axum", "graphql_front", "query!", "sqlx::query"]),
    ("src/graphql", &["axum", "query!", "sqlx::query", "QueryBuilder"]),
    ("src/http", &["query!"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn packages_depend_only_on_lower_packages() {
    let mut wrong = Vec::new();
    let known: BTreeSet<_> = PACKAGES.iter().map(|&(name, _)| name).collect();
    for entry in std::fs::read_dir(root().join("crates")).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        assert!(known.contains(name.as_str()), "the package {name} has no layer");
    }
    for (name, below) in PACKAGES {
        let manifest = std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml"));
        for line in manifest.expect("a manifest").lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let is_ours = known.contains(dependency) || dependency == "participant-registry";
            if is_ours && !below.contains(&dependency) {
                wrong.push(format!("{name} depends on {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_layer_imports_only_lower_layers() {
    let sources = Sources::read(&root().join("src"));
    let below: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (file, targets) in sources.imports() {
        let Some(layer) = file.first().filter(|layer| *layer != "main") else { continue };
        let below = below.get(layer.as_str());
        let below = below.unwrap_or_else(|| panic!("the module {layer} has no layer"));
        let mut outside = targets.iter().filter_map(|target| target.first());
        let outside = outside.find(|target| *target != layer && !below.contains(&target.as_str()));
        wrong.extend(outside.map(|target| format!("{} imports {target}", file.join("/"))));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_layer_contains_forbidden_words() {
    let mut wrong = Vec::new();
    for (layer, words) in FORBIDDEN {
        let files = imports::files(&root().join(layer));
        assert!(!files.is_empty(), "the layer {layer} has no sources");
        for file in files {
            let code = code_of(&file);
            let names = words.iter().filter(|word| code.contains(*word));
            wrong.extend(names.map(|word| format!("{} names {word}", shown(&file))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// A file and the files in its own folder are one unit: a part may import the whole. The types of a GraphQL schema
/// refer to each other, and so do their files.
#[test]
fn only_files_of_graphql_types_import_each_other_in_a_circle() {
    let packages = PACKAGES.iter().map(|(name, _)| format!("crates/{name}/src"));
    for folder in packages.chain(["src".to_owned()]) {
        let circles = Sources::read(&root().join(&folder)).circles();
        let wrong: Vec<_> = circles
            .iter()
            .filter(|circle| folder != "src" || !circle.iter().all(|file| file[0] == "graphql"))
            .map(|circle| circle.iter().map(|file| file.join("/")).collect::<Vec<_>>().join(", "))
            .collect();
        assert!(wrong.is_empty(), "{folder}: these files import each other:\n{}", wrong.join("\n"));
    }
}
