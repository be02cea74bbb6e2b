//! Every target over its seeds, over what was once found, and over random input, on any compiler.

use ipc_fuzz::TARGETS;
use std::fs;
use std::path::{Path, PathBuf};

fn folder(name: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join(target)
}

fn inputs(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).expect("an input"))).collect()
}

#[test]
fn every_target_holds_over_its_seeds() {
    for (target, check) in TARGETS {
        let seeds = inputs(&folder("corpus", target));
        assert!(seeds.len() >= 30, "{target}: {} seeds", seeds.len());
        for (path, input) in seeds {
            println!("{}", path.display());
            check(&input);
        }
    }
}

#[test]
fn what_was_once_found_stays_mended() {
    for (target, check) in TARGETS {
        for (path, input) in inputs(&folder("regressions", target)) {
            println!("{}", path.display());
            check(&input);
        }
    }
}

#[test]
fn every_target_holds_over_random_input_and_over_changed_seeds() {
    let mut random = ipc_proto::SplitMix64::new(7);
    for (target, check) in TARGETS {
        let seeds = inputs(&folder("corpus", target));
        for round in 0..2000 {
            let mut input = if round % 2 == 0 {
                let length = random.next_u64() % 400;
                (0..length).map(|_| random.next_u64().to_le_bytes()[0]).collect()
            } else {
                seeds[random.next_u64() as usize % seeds.len()].1.clone()
            };
            for _ in 0..random.next_u64() % 4 {
                let place = random.next_u64() as usize % input.len().max(1);
                if let Some(byte) = input.get_mut(place) {
                    *byte = random.next_u64().to_le_bytes()[0];
                }
            }
            println!("{target}: {input:?}");
            check(&input);
        }
    }
}

#[test]
fn the_seeds_are_those_that_the_generator_makes() {
    for (target, seeds) in ipc_fuzz::seeds::all() {
        let folder = folder("corpus", target);
        for (name, input) in &seeds {
            assert!(
                fs::read(folder.join(name)).is_ok_and(|found| found == *input),
                "{target}/{name}: run `cargo run --bin seed`"
            );
        }
        let named_so = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-"));
        assert_eq!(inputs(&folder).iter().filter(|(path, _)| named_so(path)).count(), seeds.len());
    }
}
