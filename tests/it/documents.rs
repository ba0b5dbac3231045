//! The documents for people: every path and link in them leads to a file of this repository.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the documents at the top level, of `docs` and of `benches`.
fn documents() -> Vec<PathBuf> {
    let in_folder = |folder: &str| std::fs::read_dir(root().join(folder)).expect("a folder");
    [".", "docs", "benches"]
        .into_iter()
        .flat_map(in_folder)
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

/// Returns what stands in backticks and begins with a folder of the repository, without placeholders such as `<noun>.rs`.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    const FOLDERS: &[&str] = &[
        "src/",
        "crates/",
        "tests/",
        "migrations/",
        "docs/",
        "benches/",
        "examples/",
        "playground/",
        ".ci/",
    ];
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|code| {
        FOLDERS.iter().any(|folder| code.starts_with(folder)) && !code.contains(['<', ' ', '*', ':'])
    })
}

/// Returns the targets of Markdown links to other files, without their anchors.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains(':'))
}

#[test]
fn paths_and_links_in_documents_exist() {
    let (mut seen, mut missing) = (0, Vec::new());
    for document in documents() {
        let text = std::fs::read_to_string(&document).expect("a document");
        let folder = document.parent().expect("a folder");
        let from_root = paths(&text).map(|path| (root(), path));
        for (base, path) in from_root.chain(links(&text).map(|link| (folder, link))) {
            seen += 1;
            if !base.join(path).exists() {
                missing.push(format!("{}: {path}", document.display()));
            }
        }
    }
    assert!(seen > 50, "only {seen} paths were found in the documents");
    assert_eq!(missing, Vec::<String>::new());
}
