//! Imports point one way: domain <- store <- actions <- graphql <- http <- cli.

use std::path::{Path, PathBuf};

/// Each layer, and what its sources must not name.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "crate::store",
            "crate::actions",
            "crate::graphql",
            "crate::http",
            "crate::cli",
            "crate::clock",
            "sqlx",
            "async_graphql",
            "axum",
            ".await",
            "async fn",
            "Utc::now",
            "Local::now",
            "SystemTime",
        ],
    ),
    ("store", &["crate::actions", "crate::graphql", "crate::http", "crate::cli", "async_graphql", "axum"]),
    (
        "actions",
        &["crate::graphql", "crate::http", "crate::cli", "async_graphql", "axum", "query!", "sqlx::query"],
    ),
    ("graphql", &["crate::http", "crate::cli", "axum", "query!", "sqlx::query", "QueryBuilder"]),
    ("http", &["crate::cli", "query!"]),
    ("demo", &["crate::graphql", "crate::http", "crate::cli", "crate::actions"]),
    ("roster", &["crate::store", "crate::actions", "crate::graphql", "crate::http", "crate::cli", "sqlx"]),
];

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries {
        let path = entry.expect("a folder of sources can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// A source without its comments and its tests: those may name anything.
fn code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_layer_names_only_what_is_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (layer, words) in FORBIDDEN {
        let mut files = Vec::new();
        sources(&root.join(layer), &mut files);
        let single = root.join(format!("{layer}.rs"));
        files.extend(single.exists().then_some(single));
        files.retain(|file| !file.ends_with("tests.rs") && !file.iter().any(|part| part == "tests"));
        assert!(!files.is_empty(), "the layer {layer} has no sources");
        for file in files {
            let code = code(&std::fs::read_to_string(&file).expect("a source can be read"));
            let names = words.iter().filter(|word| code.contains(*word));
            wrong.extend(names.map(|word| format!("{} names {word}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
