# What is typed daily: `just` lists it. Every recipe is a plain command, so that nobody needs just.

[private]
default:
    @just --list --unsorted

# Format, lints and documentation: what the compiler can say in a minute
check:
    cargo fmt --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

# All tests, or those whose name contains the words:  just test  |  just test idempotency
test *words:
    cargo test --workspace -- {{ words }}

# One test from outside, with its output:  just one an_association_name_is_taken_once_in_a_province
one name:
    cargo test --test it -- --nocapture {{ name }}

# Everything that decides whether a change lands
ci:
    .ci/run

# Print schema.graphql anew, after a change of the API
schema:
    cargo run --quiet -- schema > target/schema.graphql
    mv target/schema.graphql schema.graphql

# Record the checked statements anew, after a change of a `query!` or a migration
record-sql:
    .ci/record-sql

# A demonstration on http://127.0.0.1:8080/
demo *flags:
    cargo run --release -- serve --demo {{ flags }}

# Speed beside plain PostgreSQL:  just bench  |  just bench S1 --participants 200000
bench *arguments:
    cargo bench --bench speed -- {{ arguments }}

# Promises under attack:  just resilience  |  just resilience --quick
resilience *arguments:
    cargo build --release
    python3 benches/resilience {{ arguments }}

# The examples against a demonstration of their own
examples:
    cargo build
    .ci/examples

# The web pages and the playground in Chromium, with pictures in target/pages
pages:
    cargo build
    .ci/pages

# The first minute of README.md, word for word
readme:
    cargo build
    .ci/readme
