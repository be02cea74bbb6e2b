//! Writes the seeds to `corpus/`, in place of what stands there. Run it after a change of the recordings or of how a target reads
//! its input: `cargo run --manifest-path fuzz/Cargo.toml --example seed`.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    if corpus.exists() {
        fs::remove_dir_all(&corpus)?;
    }
    let (mut count, mut bytes) = (0, 0);
    for seed in ipc_fuzz::seeds::all() {
        let directory = corpus.join(seed.target);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(&seed.name), &seed.bytes)?;
        count += 1;
        bytes += seed.bytes.len();
    }
    println!("{count} seeds, {bytes} bytes, in {}", corpus.display());
    Ok(())
}
