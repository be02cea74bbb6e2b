//! Writes the seeds: `cargo run --bin seed`. They are the same every time, and `tests/replay.rs` compares.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (target, inputs) in ipc_fuzz::seeds::all() {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, input) in &inputs {
            std::fs::write(folder.join(name), input)?;
        }
        println!("{target}: {} seeds", inputs.len());
    }
    Ok(())
}
