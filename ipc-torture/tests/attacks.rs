//! Hostile peers: what a server or client of ours withstands. The attacks themselves are in `ipc_torture::attack`.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use ipc_torture::attack::{Attack, Scale, crowd, names, size, slow, tls};

fn withstands(attack: Attack) {
    let figures = attack(env!("CARGO_BIN_EXE_ipc-torture").as_ref(), Scale::Quick).expect("withstood");
    println!("{figures}");
}

#[test]
fn frames_that_come_a_byte_at_a_time_are_cut_at_the_message_timeout() {
    withstands(slow::frames);
}

#[test]
fn handshakes_that_come_a_byte_at_a_time_are_cut_at_the_handshake_timeout() {
    withstands(slow::handshakes);
}

#[test]
fn a_client_cuts_a_server_that_sends_a_byte_at_a_time() {
    withstands(slow::server);
}

#[test]
fn a_frame_beyond_the_limit_takes_no_memory_however_large_it_is() {
    withstands(size::huge_frame);
}

#[test]
fn a_frame_without_an_end_takes_no_memory_and_keeps_nobody_waiting() {
    withstands(size::endless_frame);
}

#[test]
fn json_nested_a_million_deep_is_echoed_and_refused_by_who_parses_it() {
    withstands(size::deep_json);
}

#[test]
fn json_nested_a_million_deep_does_no_harm_to_a_client_either() {
    withstands(size::deep_json_from_a_server);
}

#[test]
fn a_flood_of_tiny_frames_leaves_others_their_turn() {
    withstands(size::tiny_frames);
}

#[test]
fn ever_new_names_that_nobody_handles_cost_no_more_in_the_end_than_at_first() {
    withstands(names::unhandled);
}

#[test]
fn names_are_found_among_a_thousand_handlers_as_quickly_as_among_a_few() {
    withstands(names::among_handlers);
}

#[test]
fn ever_new_claimed_ids_are_not_kept() {
    withstands(names::claimed_ids);
}

#[test]
fn datagrams_from_a_crowd_of_addresses_fill_no_memory() {
    withstands(crowd::datagrams);
}

#[test]
fn what_is_no_tls_is_refused_and_never_an_event() {
    withstands(tls::garbage);
}

#[test]
fn a_client_is_never_connected_to_what_speaks_no_tls_and_tries_again() {
    withstands(tls::server);
}

#[test]
fn renegotiation_is_refused() {
    withstands(tls::renegotiation);
}
