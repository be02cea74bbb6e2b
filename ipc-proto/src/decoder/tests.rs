//! The decoder against every way to cut a stream, its bounds, and its cost in bytes touched.

use super::*;

fn decoder(delimiter: &str, max: usize) -> Decoder {
    Decoder::new(Delimiter::new(delimiter).unwrap(), max)
}

/// All frames of `chunks`, and whether decoding failed.
fn frames<'a>(decoder: &mut Decoder, chunks: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, bool) {
    let mut frames = Vec::new();
    for mut chunk in chunks {
        loop {
            match decoder.next_frame(&mut chunk) {
                Ok(Some(frame)) => frames.push(frame.to_vec()),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
        assert!(chunk.is_empty(), "all input is taken");
    }
    (frames, false)
}

#[test]
fn every_cut_into_two_and_three_gives_the_same_frames() {
    for delimiter in ["\x0c", "\r\n", "||", "|||", "|x|", "<EOM>", "ababN"] {
        let stream = ["one", "", "|", "a|", "abab", "\r", "<EOM", "last"].join(delimiter).into_bytes();
        let whole = frames(&mut decoder(delimiter, 100), [&stream[..]]);
        assert!(whole.0.len() >= 6);
        // Under Miri, where each takes long, a few of the cuts.
        let step = if cfg!(miri) { 7 } else { 1 };
        for first in (0..=stream.len()).step_by(step) {
            for second in (first..=stream.len()).step_by(step) {
                let chunks = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(
                    frames(&mut decoder(delimiter, 100), chunks),
                    whole,
                    "{delimiter:?} at {first} and {second}"
                );
            }
        }
        assert_eq!(frames(&mut decoder(delimiter, 100), stream.chunks(1)), whole, "{delimiter:?} byte by byte");
    }
}

#[test]
fn whole_frames_are_lent_from_the_input() {
    let mut decoder = decoder("\x0c", 100);
    let stream = b"one\x0ctwo\x0c";
    let mut input = &stream[..];
    assert_eq!(decoder.next_frame(&mut input).unwrap().unwrap().as_ptr(), stream.as_ptr());
    assert_eq!(decoder.next_frame(&mut input), Ok(Some(&b"two"[..])));
    assert_eq!(decoder.next_frame(&mut input), Ok(None));
    assert_eq!(decoder.take_buffer(), None, "no buffer was needed");
}

#[test]
fn a_frame_of_the_greatest_size_passes_and_a_byte_more_fails_however_it_is_cut() {
    for delimiter in ["\x0c", "<EOM>"] {
        for (length, fails) in [(10, false), (11, true)] {
            let stream = ["a".repeat(length), "b".to_owned(), String::new()].join(delimiter).into_bytes();
            for chunk in 1..=stream.len() {
                let mut decoder = decoder(delimiter, 10);
                let (frames, failed) = frames(&mut decoder, stream.chunks(chunk));
                assert_eq!(failed, fails, "{length} in chunks of {chunk}");
                assert_eq!(frames.len(), if fails { 0 } else { 2 });
                let again = decoder.next_frame(&mut &b"x\x0c"[..]).is_err();
                assert_eq!(again, fails, "a failed decoder stays failed");
            }
        }
    }
}

#[test]
fn an_endless_frame_is_refused_before_it_is_kept() {
    let mut decoder = decoder("<EOM>", 1000);
    assert_eq!(decoder.next_frame(&mut &[b'a'; 1004][..]), Ok(None), "the last four may be the head of a delimiter");
    assert_eq!(decoder.buffered(), 1004);
    let error = decoder.next_frame(&mut &b"a"[..]).unwrap_err();
    assert_eq!(error, ProtocolError::FrameTooLarge { length: 1001, limit: 1000 });
    assert_eq!(decoder.buffered(), 0);
    assert_eq!(decoder.take_buffer(), None, "its memory is given back");
    decoder.defer(b"more");
    assert_eq!((decoder.buffered(), decoder.read_buffer()), (0, None));
}

#[test]
fn deferred_input_comes_first() {
    let mut decoder = decoder("\x0c", 100);
    decoder.defer(b"a\x0cb\x0chea");
    decoder.defer(b"d");
    let mut input = &b"er\x0cc\x0c"[..];
    let mut names = Vec::new();
    while let Some(frame) = decoder.next_frame(&mut input).unwrap() {
        names.push(String::from_utf8(frame.to_vec()).unwrap());
    }
    assert_eq!(names, ["a", "b", "header", "c"]);
    assert!(decoder.is_empty());
}

#[test]
fn a_large_frame_is_read_into_the_buffer_itself() {
    for delimiter in ["\x0c", "<EOM>"] {
        let body = "a".repeat(1_000_000);
        let stream = [&body, "tail"].map(|frame| frame.to_owned() + delimiter).concat().into_bytes();
        let mut decoder = decoder(delimiter, 1_000_000);
        let (head, mut rest) = stream.split_at(DIRECT_FROM);
        let mut found = frames(&mut decoder, [head]).0;
        let mut reads = 0;
        while !rest.is_empty() {
            let Some(room) = decoder.read_buffer() else {
                found.extend(frames(&mut decoder, [std::mem::take(&mut rest)]).0);
                break;
            };
            let length = room.len().min(rest.len());
            room[..length].copy_from_slice(&rest[..length]);
            decoder.read_done(length);
            rest = &rest[length..];
            reads += 1;
            found.extend(frames(&mut decoder, [&b""[..]]).0);
        }
        assert_eq!(found.len(), 2, "{delimiter:?}");
        assert_eq!((found[0].len(), &found[1][..]), (1_000_000, &b"tail"[..]));
        assert!(reads < 10, "the room doubles: {reads}");
        assert!(decoder.is_empty());
        assert!(decoder.take_buffer().unwrap().capacity() <= 1_000_000 + 2 * delimiter.len());
        let touched = decoder.touched.get();
        assert!((stream.len()..3 * stream.len()).contains(&touched), "{touched}");
    }
}

#[test]
fn the_room_to_read_into_ends_where_the_frame_is_too_large() {
    let mut decoder = decoder("\x0c", 20_000);
    assert_eq!(decoder.next_frame(&mut &vec![b'a'; 19_999][..]), Ok(None));
    let room = decoder.read_buffer().unwrap();
    assert_eq!(room.len(), 2);
    room.fill(b'a');
    decoder.read_done(2);
    assert_eq!(decoder.read_buffer(), None);
    assert!(decoder.next_frame(&mut &[][..]).is_err());
}

#[test]
fn a_spare_buffer_is_used_and_given_back() {
    let mut decoder = decoder("\x0c", 1000);
    decoder.give_buffer(Vec::with_capacity(500));
    assert_eq!(decoder.next_frame(&mut &b"head"[..]), Ok(None));
    decoder.give_buffer(Vec::with_capacity(900));
    assert_eq!(decoder.take_buffer(), None, "in use");
    assert_eq!(decoder.next_frame(&mut &b"\x0c"[..]), Ok(Some(&b"head"[..])));
    let spare = decoder.take_buffer().unwrap();
    assert!((500..900).contains(&spare.capacity()));
    assert_eq!(decoder.take_buffer(), None);
    assert_eq!(frames(&mut decoder, [&b"a"[..], b"b\x0cc"]).0, [b"ab"]);
}

#[test]
fn the_cost_is_linear_in_bytes_however_the_stream_is_cut() {
    for delimiter in ["\x0c", "\r\n", "<EOM>"] {
        let frame = "x".repeat(50_000) + delimiter + "y" + delimiter;
        let stream = frame.repeat(4).into_bytes();
        for chunk in [1, 2, 3, 7, 100, 4096, 65_536, stream.len()] {
            let mut decoder = decoder(delimiter, 100_000);
            assert_eq!(frames(&mut decoder, stream.chunks(chunk)).0.len(), 8);
            // Each byte is searched and copied once; around each cut a delimiter's length is searched again.
            let cuts = stream.len() / chunk + 1;
            let bound = 2 * stream.len() + cuts * 4 * delimiter.len();
            assert!(decoder.touched.get() <= bound, "{delimiter:?} in {chunk}: {} > {bound}", decoder.touched.get());
        }
    }
}

#[test]
fn many_small_deferred_frames_are_not_moved_again_and_again() {
    let stream = b"{\"type\":\"a\",\"data\":1}\x0c".repeat(1000);
    let mut decoder = decoder("\x0c", 100);
    decoder.defer(&stream);
    let mut count = 0;
    while decoder.next_frame(&mut &[][..]).unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, 1000);
    assert!(decoder.touched.get() <= 2 * stream.len() + 2);
}

#[test]
fn what_was_received_is_not_shown() {
    let mut decoder = decoder("\x0c", 100);
    decoder.defer(b"secret");
    assert_eq!(
        format!("{decoder:?}"),
        r#"Decoder { delimiter: Delimiter("\x0c"), max_message_size: 100, buffered: 6, failed: false, .. }"#
    );
}

#[test]
fn room_to_read_into_comes_with_the_first_16_kib_and_doubles_when_half_of_that_is_left() {
    let mut decoder = decoder("\x0c", 1_000_000);
    assert_eq!(decoder.read_buffer(), None);
    assert_eq!(decoder.next_frame(&mut &vec![b'a'; DIRECT_FROM - 1][..]), Ok(None));
    assert_eq!(decoder.read_buffer(), None);
    assert_eq!(decoder.next_frame(&mut &b"a"[..]), Ok(None));
    assert_eq!(decoder.read_buffer().unwrap().len(), DIRECT_FROM);
    decoder.read_done(DIRECT_FROM / 2);
    assert_eq!(decoder.read_buffer().unwrap().len(), DIRECT_FROM / 2, "half is enough");
    decoder.read_done(1);
    assert_eq!(decoder.read_buffer().unwrap().len(), DIRECT_FROM * 3 / 2 + 1);
    decoder.read_done(usize::MAX);
    assert_eq!(decoder.buffered(), DIRECT_FROM * 3 + 2, "no more than there was room for");
}

#[test]
fn a_stream_that_is_always_cut_in_a_frame_takes_no_more_memory_with_time() {
    let mut decoder = decoder("\x0c", 100);
    for _ in 0..if cfg!(miri) { 20 } else { 1000 } {
        assert_eq!(frames(&mut decoder, [&b"ab\x0ca"[..]]).0.len(), 1);
        assert_eq!(decoder.buffered(), 1);
        decoder.defer(b"ab\x0ca");
        assert_eq!(frames(&mut decoder, [&b""[..]]).0.len(), 1);
    }
    assert_eq!(frames(&mut decoder, [&b"\x0c"[..]]).0.len(), 1);
    assert!(decoder.take_buffer().unwrap().capacity() <= 64);
}
