//! Runs every target over its seeds and over what was found once, on any compiler; and says that the seeds are what they should
//! be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ipc_fuzz::{Run, TARGETS, seeds};

fn files(folder: &str, target: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let paths = entries.map(|entry| entry.expect("an entry of a directory").path());
    paths.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

fn replay(target: &str) {
    let (_, run): (&str, Run) = *TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let seeds = files("corpus", target);
    assert!(seeds.len() >= 8, "{target} has seeds");
    for (path, bytes) in seeds.into_iter().chain(files("regressions", target)) {
        // Said only where the test fails.
        println!("{}", path.display());
        run(&bytes);
    }
    run(&[]);
}

macro_rules! replays {
    ($($test:ident: $target:ident;)*) => {
        $(#[test]
        fn $test() {
            replay(stringify!($target));
        })*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($target)),*];
            assert_eq!(replayed, TARGETS.map(|(name, _)| name));
        }
    };
}

replays! {
    streams_give_the_same_however_they_are_cut: decode;
    frames_are_judged_as_serde_json_judges_them: envelope;
    what_is_taken_arrives_and_what_is_refused_leaves_no_trace: encode_decode;
    encodings_are_those_of_node: raw_encodings;
    clients_live_as_documented_and_account_for_every_byte: client;
    servers_keep_their_book: server;
    datagrams_are_counted_bounded_and_forgotten: datagrams;
    configurations_are_read_back_as_they_were_written: config;
}

#[test]
fn every_recording_of_raw_bytes_holds() {
    for number in 0..1000u16 {
        let [low, high] = number.to_le_bytes();
        ipc_fuzz::raw_encodings::run(&[0, 3, low, high]);
    }
}

#[test]
fn the_committed_seeds_are_what_the_generator_makes() {
    let made = seeds::all();
    for (target, _) in TARGETS {
        let committed = files("corpus", target);
        let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        let committed: BTreeMap<_, _> = committed.iter().map(|(path, bytes)| (name(path), bytes)).collect();
        let made = made.iter().filter(|seed| seed.target == target);
        let made: BTreeMap<_, _> = made.map(|seed| (seed.name.clone(), &seed.bytes)).collect();
        assert!(
            committed == made,
            "the seeds of {target} differ: run `cargo run --manifest-path fuzz/Cargo.toml --example seed`"
        );
    }
    let bytes: usize = made.iter().map(|seed| seed.bytes.len()).sum();
    assert!(bytes < 300_000, "the seeds stay small: {bytes} bytes");
}

/// Inputs of no meaning, as fuzzing begins with them: a target must not trip over its own feet.
#[test]
fn any_bytes_are_an_input_of_every_target() {
    let mut rng = ipc_proto::SplitMix64::new(11);
    for round in 0..200 {
        let length = usize::try_from(rng.next_u64() % (8 + round * 2)).expect("a small number");
        let bytes: Vec<u8> = (0..length).map(|_| rng.next_u64().to_le_bytes()[3]).collect();
        for (name, run) in TARGETS {
            println!("{name} {bytes:?}");
            run(&bytes);
        }
    }
}
