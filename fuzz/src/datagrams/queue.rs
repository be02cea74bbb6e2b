//! The sending half: any emits to any address through a [`DatagramOutbound`].

use std::collections::VecDeque;
use std::net::SocketAddr;

use ipc_proto::{DatagramOutbound, DatagramTransmit, EmitError, Frame, IpFamily, MAX_DATAGRAM, Settings};

use super::{MOST_STEPS, address};
use crate::input::Input;

/// Runs the rest of an input.
pub(super) fn run(settings: &Settings, input: &mut Input<'_>) {
    let family = input.choose(&[IpFamily::V4, IpFamily::V6]);
    let mut outbound = DatagramOutbound::new(settings, family);
    let mut transmit = DatagramTransmit::new();
    let mut waiting: VecDeque<(SocketAddr, Vec<u8>)> = VecDeque::new();
    let mut closed = false;
    for number in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        let pending = outbound.pending();
        let fits = |to: SocketAddr| DatagramOutbound::check(family, to).is_ok();
        match input.below(8) {
            0 => {
                outbound.poll_transmit(&mut transmit);
                let count = input.below(8);
                for _ in 0..count {
                    let first = transmit.first().map(|(to, bytes)| (to, bytes.to_vec()));
                    let (most, longest) = (number % 5, 400);
                    let Some(burst) = transmit.first_burst(most, longest) else { break };
                    let sizes = if burst.count == 1 { burst.bytes.len() } else { burst.length };
                    // (`chunks` has none of an empty datagram.)
                    let mut datagrams: Vec<&[u8]> = burst.bytes.chunks(sizes.max(1)).collect();
                    if burst.bytes.is_empty() {
                        datagrams.push(b"");
                    }
                    assert!(datagrams.len() == burst.count && burst.count <= most.max(1));
                    assert!(burst.bytes.len() <= MAX_DATAGRAM && (burst.count == 1 || burst.length <= longest));
                    assert_eq!(first, Some((burst.to, datagrams[0].to_vec())));
                    for bytes in datagrams {
                        let (expected_to, expected) = waiting.pop_front().expect("nothing is sent twice");
                        assert!(burst.to == expected_to && bytes == expected, "in order, and as it was");
                    }
                    let sent = burst.count;
                    transmit.advance_by(sent);
                }
            }
            1 if input.below(16) == 15 => {
                outbound.close();
                closed = true;
            }
            2 | 3 => {
                let Some(frame) = frame(settings, number, input) else { continue };
                let count = input.below(6);
                let to: Vec<_> = (0..count).map(|_| address(input)).collect();
                match outbound.broadcast(&frame, &to) {
                    Ok(queued) => {
                        let fit: Vec<_> = to.into_iter().filter(|to| fits(*to)).collect();
                        assert!(queued <= fit.len());
                        assert!(
                            queued == fit.len() || outbound.pending() + frame.as_bytes().len() + 64 > outbound.limit()
                        );
                        waiting.extend(fit.into_iter().take(queued).map(|to| (to, frame.as_bytes().to_vec())));
                    }
                    Err(error) => refused(&error, closed, pending, outbound.limit()),
                }
            }
            _ => {
                let to = address(input);
                let Some(frame) = frame(settings, number, input) else { continue };
                match outbound.to(to).emit_frame(&frame) {
                    Ok(()) => {
                        assert!(fits(to) && to.port() != 0 && frame.as_bytes().len() <= MAX_DATAGRAM);
                        assert_eq!(outbound.pending(), pending + frame.as_bytes().len() + 64);
                        waiting.push_back((to, frame.as_bytes().to_vec()));
                    }
                    Err(error) => {
                        assert_eq!(outbound.pending(), pending);
                        assert!(fits(to) || matches!(error, EmitError::Address { .. } | EmitError::Closed));
                        refused(&error, closed, pending, outbound.limit());
                    }
                }
            }
        }
        let least: usize = waiting.iter().map(|_| 64).sum();
        assert!(outbound.pending() >= least, "each datagram counts");
    }
    let unsent = outbound.end(transmit);
    let bytes: usize = waiting.iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!((unsent.messages, unsent.bytes), (waiting.len(), bytes));
}

fn frame(settings: &Settings, number: usize, input: &mut Input<'_>) -> Option<Frame> {
    let text = format!("{number} {}", "p".repeat(input.size()));
    if settings.is_raw() {
        Frame::raw(settings, text.into_bytes()).ok()
    } else {
        Frame::new(settings, "message", &text).ok()
    }
}

fn refused(error: &EmitError, closed: bool, queued: usize, most: usize) {
    match error {
        EmitError::Closed => assert!(closed),
        EmitError::Full { pending, length, limit, .. } => {
            assert_eq!((*pending, *limit), (queued, most));
            assert!(*pending > 0 && pending + length > *limit);
        }
        EmitError::TooLarge { length, limit } => assert!(length > limit && *limit == MAX_DATAGRAM),
        EmitError::Address { .. } => {}
        other => panic!("{other}"),
    }
}
