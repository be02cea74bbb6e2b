//! A server by hand, for the loads measured here and nothing else: what somebody would write who needs no limits, no handlers,
//! no counters, no reconnecting, and trusts everybody. It is what the features of the adapters are compared with.

use crate::options::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

const DELIMITER: u8 = 0x0c;

#[derive(Deserialize, Serialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Serves on one thread, for ever: `echo`, or `sink`, which counts and says on `count` how many there were.
pub(crate) fn serve(path: &Path, is_sink: bool) -> Outcome {
    // Only what it needs: no timer.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let listener = UnixListener::bind(path)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                let _ended = connection(stream, is_sink).await;
            });
        }
    })
}

async fn connection(mut stream: UnixStream, is_sink: bool) -> io::Result<()> {
    let (mut input, mut filled) = (vec![0; 64 * 1024], 0);
    let (mut output, mut counted) = (Vec::new(), 0_u64);
    loop {
        if filled == input.len() {
            input.resize(2 * filled, 0);
        }
        let count = stream.read(&mut input[filled..]).await?;
        if count == 0 {
            return Ok(());
        }
        let (end, mut start, mut from) = (filled + count, 0, filled);
        while let Some(at) = memchr::memchr(DELIMITER, &input[from..end]) {
            let event: Envelope<'_> = serde_json::from_slice(&input[start..from + at])?;
            from += at + 1;
            start = from;
            match (&*event.name, is_sink) {
                ("message", true) => counted += 1,
                ("message", false) => answer(&mut output, &event)?,
                ("count", true) => {
                    let data = serde_json::value::to_raw_value(&serde_json::json!({ "count": counted }))?;
                    answer(&mut output, &Envelope { name: Cow::Borrowed("count"), data: &data })?;
                    counted = 0;
                }
                _ => {}
            }
        }
        input.copy_within(start..end, 0);
        filled = end - start;
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
    }
}

fn answer(output: &mut Vec<u8>, event: &Envelope<'_>) -> io::Result<()> {
    serde_json::to_writer(&mut *output, event)?;
    output.push(DELIMITER);
    Ok(())
}
