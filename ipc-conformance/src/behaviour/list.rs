//! The list of all behaviours, as a macro that makes tests of them.

/// Makes one `#[test]` for each behaviour, in modules named after the transport it is played over. `$subject` is an expression
/// for a [`Subject`](crate::behaviour::Subject), evaluated anew for every test.
#[macro_export]
macro_rules! behaviour_tests {
    ($subject:expr) => {
        fn subject() -> impl $crate::behaviour::Subject {
            $subject
        }

        #[doc = "Behaviours of streams, over a local socket."]
        mod local {
            $crate::stream_behaviours!(Local);
        }

        #[doc = "Behaviours of streams, over TCP."]
        mod tcp {
            $crate::stream_behaviours!(Tcp);
        }

        #[doc = "Behaviours of streams, over TLS."]
        mod tls {
            $crate::stream_behaviours!(Tls);
        }
    };
}

/// Those that hold over every stream.
#[doc(hidden)]
#[macro_export]
macro_rules! stream_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            exchange {
                typed_events_go_both_ways
                events_without_a_handler_come_by_the_stream
                events_of_many_threads_arrive_once_and_in_the_order_of_each
                a_burst_of_all_sizes_comes_back_whole_and_in_order
                a_large_message_comes_back_whole
                wire_events_with_lifecycle_names_are_messages
                a_payload_of_another_shape_is_reported_and_the_connection_goes_on
                messages_and_frames_can_be_forwarded_unparsed
                handlers_come_and_go_while_events_do
            }
            formats {
                raw_connections_carry_bytes_as_they_are
                text_of_every_encoding_arrives_as_the_bytes_it_stands_for
                any_delimiter_keeps_events_apart
                a_synchronous_client_waits_for_each_answer
            }
            crowd {
                a_broadcast_reaches_everybody_and_says_so
                an_event_for_one_of_many_reaches_that_one_only
                many_clients_at_once_are_all_served
                a_slow_reader_does_not_stop_others
                a_busy_peer_leaves_others_and_timers_their_turn
            }
            backpressure {
                a_full_queue_refuses_an_emit_and_lets_a_send_wait
                sending_waits_for_a_slow_reader_and_a_dropped_send_has_sent_nothing
                answers_of_a_handler_are_not_refused_while_their_asker_reads_late
                many_waiting_senders_are_all_woken
            }
            life {
                a_client_waits_for_its_server_and_comes_back_after_a_restart
                a_client_that_is_cut_connects_again_by_itself
                a_client_gives_up_after_its_retries_and_says_why
                a_change_of_stop_retrying_ends_the_waiting
                offline_events_are_refused_buffered_or_dropped_as_configured
                surplus_peers_are_sent_away_and_a_place_that_is_free_is_taken
                a_server_can_be_stopped_started_again_and_started_only_once
                clients_and_servers_that_are_never_started_leave_nothing
                connecting_and_closing_go_on_when_nobody_waits_for_them
                a_client_that_waits_for_its_server_can_be_closed
            }
            ending {
                what_was_emitted_before_close_arrives
                what_a_server_has_queued_arrives_before_it_ends
                dropping_the_last_handle_sends_what_is_queued_and_closes
                an_end_that_cannot_flush_says_how_much_was_lost
                a_disconnect_ends_at_once_and_both_sides_hear_of_it
                an_abort_of_one_peer_leaves_the_others
                ends_from_both_sides_at_once_are_ends
            }
        }
    };
}

/// One test for each name, of the module that stands before it.
#[doc(hidden)]
#[macro_export]
macro_rules! listed_behaviours {
    ($transport:ident $($module:ident { $($(#[$attribute:meta])* $name:ident)* })*) => {
        $($(
            $(#[$attribute])*
            #[test]
            fn $name() {
                use $crate::behaviour::{Transport, $module, run};
                run(&super::subject(), stringify!($name), Transport::$transport, $module::$name);
            }
        )*)*
    };
}
