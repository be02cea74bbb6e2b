//! The same scenarios with different peers at the two ends of a wire. A scenario knows neither end: both are processes that speak the
//! line protocol.

mod party;
mod scenarios;

use ipc_conformance::node::Version::{V9_2_1, V12_0_0, V14_0_0};
use party::Over;
use party::Party::{Node, Ours};

/// One test for each scenario.
macro_rules! tests {
    ($server:expr, $client:expr, $over:expr; $($scenario:ident)*) => {
        $(
            #[test]
            fn $scenario() {
                scenarios::$scenario($server, $client, $over);
            }
        )*
    };
}

/// One module for each pair, the server's side first, with one for each transport and one test for each scenario.
macro_rules! pairs {
    ($($pair:ident: $server:expr, $client:expr;)*) => {
        $(
            mod $pair {
                use super::*;

                mod over_unix {
                    use super::*;

                    tests! { $server, $client, Over::Unix;
                        values_come_back_as_they_went
                        a_burst_keeps_its_order
                        a_large_message_arrives_whole
                        a_broadcast_reaches_every_client
                        a_client_comes_back_when_the_server_does
                        a_client_that_disconnects_is_missed
                        a_dropped_client_connects_again
                        a_client_gives_up_after_its_retries
                        a_sync_client_waits_for_answers
                        raw_bytes_arrive_as_they_were
                        the_raw_examples_of_the_readme_work
                        another_delimiter_serves
                        names_of_lifecycle_events_are_names_like_others
                        a_full_server_lets_a_client_in_later
                    }
                }

                mod over_tcp {
                    use super::*;

                    networked! { $server, $client, Over::Tcp }
                }

                mod over_tls {
                    use super::*;

                    networked! { $server, $client, Over::Tls }
                }

                mod over_mutual_tls {
                    use super::*;

                    tests! { $server, $client, Over::MutualTls; values_come_back_as_they_went }
                }
            }
        )*
    };
}

/// What is also tried over networks.
macro_rules! networked {
    ($server:expr, $client:expr, $over:expr) => {
        tests! { $server, $client, $over;
            values_come_back_as_they_went
            a_burst_keeps_its_order
            a_large_message_arrives_whole
            a_broadcast_reaches_every_client
            a_client_comes_back_when_the_server_does
            a_client_that_disconnects_is_missed
            a_dropped_client_connects_again
            the_raw_examples_of_the_readme_work
        }
    };
}

/// One module for each pair over UDP, where both are servers.
macro_rules! datagrams {
    ($($pair:ident: $one:expr, $two:expr;)*) => {
        $(
            mod $pair {
                use super::*;

                mod over_udp4 {
                    use super::*;

                    tests! { $one, $two, "udp4";
                        datagrams_are_answered
                        a_large_datagram_arrives
                        a_broadcast_reaches_pushed_peers
                        raw_datagrams_arrive_as_they_were
                    }
                }

                mod over_udp6 {
                    use super::*;

                    tests! { $one, $two, "udp6"; datagrams_are_answered a_broadcast_reaches_pushed_peers }
                }
            }
        )*
    };
}

pairs! {
    ours_serves_node_9: Ours("v9"), Node(V9_2_1);
    ours_serves_node_12: Ours("v9"), Node(V12_0_0);
    ours_serves_node_14: Ours("v14_fast"), Node(V14_0_0);
    node_9_serves_ours: Node(V9_2_1), Ours("v9");
    node_12_serves_ours: Node(V12_0_0), Ours("v9");
    node_14_serves_ours: Node(V14_0_0), Ours("v14_fast");
    ours_serves_ours: Ours("v9"), Ours("v14_fast");
    node_9_serves_node_14: Node(V9_2_1), Node(V14_0_0);
    node_14_serves_node_9: Node(V14_0_0), Node(V9_2_1);
    node_12_serves_node_12: Node(V12_0_0), Node(V12_0_0);
}

datagrams! {
    ours_and_node_9: Ours("v9"), Node(V9_2_1);
    ours_and_node_12: Ours("v9"), Node(V12_0_0);
    ours_and_node_14: Ours("v14_fast"), Node(V14_0_0);
    node_9_and_ours: Node(V9_2_1), Ours("v9");
    node_12_and_ours: Node(V12_0_0), Ours("v9");
    node_14_and_ours: Node(V14_0_0), Ours("v14_fast");
    ours_and_ours: Ours("v9"), Ours("v14_fast");
    node_12_and_node_14: Node(V12_0_0), Node(V14_0_0);
}
