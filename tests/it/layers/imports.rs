//! Finds the imports of each file by the `use` declarations of the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A module, as the segments of its path in its package. The root is empty.
pub type Module = Vec<String>;

/// The modules of one package.
pub struct Sources {
    code: BTreeMap<Module, String>,
    /// Names that a module imports from another one, with their origins.
    names: BTreeMap<(Module, String), Vec<String>>,
    /// Paths from the root of the package in the code of a module.
    inline_paths: BTreeMap<Module, Vec<Vec<String>>>,
}

/// Returns all sources below a folder or of a single file, except those of tests.
pub fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let single = path.with_extension("rs");
    found.extend(single.is_file().then_some(single));
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder of sources can be read").path();
            let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
            if path.is_dir() && !is_test {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test {
                found.push(path);
            }
        }
    }
    found
}

/// Returns a source without comments and tests, which may contain any name.
pub fn code_of(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("a source can be read");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

impl Sources {
    /// Reads the sources of a package.
    pub fn read(folder: &Path) -> Self {
        let mut code = BTreeMap::new();
        for file in files(folder) {
            let path = file.strip_prefix(folder).expect("a file of the folder").with_extension("");
            let mut module: Module =
                path.iter().map(|part| part.to_str().expect("UTF-8").to_owned()).collect();
            if module.last().is_some_and(|last| ["lib", "mod"].contains(&last.as_str())) {
                module.pop();
            }
            code.insert(module, code_of(&file));
        }
        assert!(!code.is_empty(), "{} has no sources", folder.display());
        let (mut names, mut inline_paths) = (BTreeMap::new(), BTreeMap::new());
        for (module, code) in &code {
            let (paths, rest) = uses(code);
            for path in paths {
                let last = path.rsplit("::").next().unwrap_or_default();
                let (path, name) = path.split_once(" as ").unwrap_or((&path, last));
                names.insert((module.clone(), name.trim().to_owned()), segments(path));
            }
            let is_outside = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
            let paths = rest.split(is_outside).filter(|word| word.starts_with("crate::"));
            inline_paths.insert(module.clone(), paths.map(segments).collect());
        }
        Self { code, names, inline_paths }
    }

    /// Returns the modules that each module imports.
    pub fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let mut imports = BTreeMap::new();
        for module in self.code.keys() {
            let inline_paths = self.inline_paths[module].iter();
            let mut targets: BTreeSet<_> =
                inline_paths.filter_map(|path| self.resolve(module, path, 0)).collect();
            targets.remove(module);
            for ((of, _), path) in self.names.range((module.clone(), String::new())..) {
                if of != module {
                    break;
                }
                targets.extend(self.resolve(module, path, 0).filter(|target| target != module));
            }
            imports.insert(module.clone(), targets);
        }
        imports
    }

    /// Finds the module of a path. Modules on the path may re-export names of others.
    fn resolve(&self, from: &Module, path: &[String], depth: usize) -> Option<Module> {
        let (first, mut rest) = path.split_first()?;
        let mut module = match first.as_str() {
            "crate" => Module::new(),
            "self" => from.clone(),
            "super" => {
                let mut module = from.clone();
                module.pop();
                while let Some((_, after)) = rest.split_first().filter(|(next, _)| *next == "super") {
                    module.pop();
                    rest = after;
                }
                module
            }
            _ => {
                let mut module = from.clone();
                module.push(first.clone());
                if !self.code.contains_key(&module) {
                    return None;
                }
                module
            }
        };
        for (index, segment) in rest.iter().enumerate() {
            let mut below = module.clone();
            below.push(segment.clone());
            if self.code.contains_key(&below) {
                module = below;
                continue;
            }
            let taken = self.names.get(&(module.clone(), segment.clone())).filter(|_| depth < 10);
            let through = taken.and_then(|taken| {
                let path: Vec<_> = taken.iter().chain(&rest[index + 1..]).cloned().collect();
                self.resolve(&module, &path, depth + 1)
            });
            return Some(through.unwrap_or(module));
        }
        Some(module)
    }

    /// Returns the groups of modules that import each other, directly or through others. Imports between a module and one
    /// of its own parts do not count.
    pub fn circles(&self) -> Vec<BTreeSet<Module>> {
        let mut imports = self.imports();
        for (module, targets) in &mut imports {
            targets.retain(|target| !target.starts_with(module) && !module.starts_with(target));
        }
        let reached: BTreeMap<&Module, BTreeSet<&Module>> =
            imports.keys().map(|module| (module, reached_from(module, &imports))).collect();
        let mut circles = BTreeSet::new();
        for (module, targets) in &reached {
            let back = targets.iter().filter(|target| reached[*target].contains(module));
            let circle: BTreeSet<Module> = back.map(|target| (*target).clone()).collect();
            if !circle.is_empty() {
                circles.insert(circle);
            }
        }
        circles.into_iter().collect()
    }
}

fn reached_from<'a>(start: &Module, imports: &'a BTreeMap<Module, BTreeSet<Module>>) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&Module> = imports[start].iter().collect();
    while let Some(module) = open.pop() {
        if reached.insert(module) {
            open.extend(&imports[module]);
        }
    }
    reached
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(|segment| segment.trim().to_owned()).filter(|segment| !segment.is_empty()).collect()
}

/// Returns the paths of all `use` declarations, with braces expanded, and the code without the declarations.
fn uses(code: &str) -> (Vec<String>, String) {
    let (mut paths, mut rest) = (Vec::new(), String::new());
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let text = line.trim_start();
        let visible = text.strip_prefix("pub(super) ").or_else(|| text.strip_prefix("pub(crate) "));
        let text = visible.or_else(|| text.strip_prefix("pub ")).unwrap_or(text);
        let Some(path) = text.strip_prefix("use ") else {
            rest = rest + line + "\n";
            continue;
        };
        let mut path = path.to_owned();
        while !path.contains(';') {
            path += lines.next().expect("a declaration ends");
        }
        expand("", path.split(';').next().unwrap_or_default().trim(), &mut paths);
    }
    (paths, rest)
}

fn expand(prefix: &str, path: &str, paths: &mut Vec<String>) {
    let Some(open) = path.find('{') else {
        let path = format!("{prefix}{path}");
        paths.push(path.strip_suffix("::self").map_or(path.clone(), str::to_owned));
        return;
    };
    let prefix = format!("{prefix}{}", &path[..open]);
    let inside = &path[open + 1..path.rfind('}').expect("braces are paired")];
    let (mut depth, mut start) = (0, 0);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b',' if depth == 0 => {
                expand(&prefix, inside[start..at].trim(), paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = inside[start..].trim();
    if !last.is_empty() {
        expand(&prefix, last, paths);
    }
}

#[test]
fn every_path_of_a_use_declaration_is_found() {
    let code = "use a::b;\npub use super::{c::{D, e::F as G}, self as h};\nfn f() { x.reuse (y); }\n    use crate::I;";
    let (paths, rest) = uses(code);
    assert_eq!(paths, ["a::b", "super::c::D", "super::c::e::F as G", "super::self as h", "crate::I"]);
    assert!(rest.contains("x.reuse (y)") && !rest.contains("crate::I"));
}
