//! The list of all behaviours, as macros that make tests of them.

/// Makes one `#[test]` for each behaviour, in modules named after the transport it is played over. `$subject` is an expression
/// for a [`Subject`](crate::behaviour::Subject), evaluated anew for every test.
#[macro_export]
macro_rules! behaviour_tests {
    ($subject:expr) => {
        fn subject() -> impl $crate::behaviour::Subject {
            $subject
        }

        /// Over a Unix socket, or a named pipe on Windows.
        mod local {
            $crate::stream_behaviours!(Local);
            $crate::local_behaviours!(Local);
            #[cfg(unix)]
            $crate::unix_behaviours!(Local);
            #[cfg(target_os = "linux")]
            $crate::linux_behaviours!(Local);
        }

        /// Over TCP.
        mod tcp {
            $crate::stream_behaviours!(Tcp);
            $crate::tcp_behaviours!(Tcp);
        }

        /// Over TLS.
        mod tls {
            $crate::stream_behaviours!(Tls);
            $crate::tls_behaviours!(Tls);
        }

        /// Over UDP.
        mod udp {
            $crate::udp_behaviours!(Udp);
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
            requests {
                requests_are_answered_in_both_directions
                requests_end_in_an_error_that_says_what_happened
                requests_and_futures_end_with_their_connection
                async_handlers_in_order_run_one_after_the_other
                requests_all_end_while_connections_are_cut
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
            states {
                a_client_shows_what_it_is_doing_from_its_start_to_its_end
                one_who_looks_rarely_sees_the_latest_state_and_holds_up_nobody
            }
            groups {
                what_is_said_in_a_room_is_heard_there_by_the_others
                groups_follow_peers_that_come_and_go_while_they_are_sent_to
            }
            slow_consumers {
                refuse_leaves_out_a_slow_reader_and_says_so
                drop_oldest_gives_a_slow_reader_the_newest_events_whole
                drop_newest_gives_a_slow_reader_the_oldest_events_whole
                disconnect_sends_a_slow_reader_away_and_says_why
                sending_waits_for_a_slow_reader_under_every_policy
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
            shutdown {
                a_shutdown_under_load_delivers_or_reports_everything
                a_shutdown_of_idle_peers_waits_for_nothing
                shutdowns_at_once_from_anywhere_end_together
            }
            accounts {
                both_ends_count_the_same
                totals_never_go_back_while_peers_come_and_go
            }
        }
    };
}

/// Those of local sockets.
#[doc(hidden)]
#[macro_export]
macro_rules! local_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            contract {
                timers_fire_when_they_are_due_and_never_while_they_are_stopped
                a_task_that_gives_way_is_run_again_and_others_are_meanwhile
                a_vectored_write_takes_more_than_its_first_slice
                #[cfg(unix)]
                closing_a_stream_ends_one_direction_only
                a_stream_is_waited_for_in_both_directions_at_once
                a_handler_that_panics_ends_its_own_connection_only
            }
            instances {
                handles_are_made_without_naming_a_runtime
                instances_side_by_side_do_not_know_each_other
                a_changed_configuration_ends_the_waiting_of_its_clients
                an_instance_keeps_its_udp_server_beside_the_other
            }
        }
    };
}

/// Those of local sockets on Unix.
#[doc(hidden)]
#[macro_export]
macro_rules! unix_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            socket_files {
                a_socket_file_is_for_its_owner_unless_the_configuration_opens_it
                a_socket_file_has_the_mode_and_the_group_that_are_asked_for
                a_missing_socket_root_is_made_for_us_alone
                the_socket_of_a_dead_server_is_replaced_and_that_of_a_live_one_is_not
                only_sockets_are_ever_removed
                without_unlink_nothing_is_removed_before_serving
                a_secure_socket_root_is_made_for_us_alone
                a_path_that_is_too_long_is_refused_with_the_limit
                #[cfg(target_os = "linux")] a_server_too_busy_to_answer_is_alive_and_holds_up_nobody
                of_servers_that_start_at_once_on_the_socket_of_a_dead_one_exactly_one_listens
            }
            ending {
                a_close_that_cannot_flush_says_how_much_was_lost
            }
            admission {
                a_local_peer_comes_with_its_user_group_and_process
            }
            listeners {
                a_unix_listener_of_the_standard_library_is_served_and_its_file_left_alone
                a_file_that_is_asked_for_is_removed
                a_tcp_listener_of_the_standard_library_is_served
                a_descriptor_is_what_it_turns_out_to_be
            }
            handover {
                an_offer_that_is_withdrawn_is_not_taken
                a_server_is_relieved_within_one_process_too_and_its_peers_stay
                a_server_is_relieved_on_a_given_runtime_by_a_thread_that_knows_none
                where_nobody_offers_a_socket_the_error_says_so
                a_server_that_was_shut_down_has_withdrawn_its_offer
                a_control_path_that_is_too_long_is_refused_with_the_limit
            }
        }
    };
}

/// Those of local sockets on Linux.
#[doc(hidden)]
#[macro_export]
macro_rules! linux_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            abstract_names {
                a_name_without_a_file_is_served_and_free_again_when_its_server_stops
                a_filter_stands_in_for_the_mode_that_a_name_does_not_have
                a_listener_on_a_name_is_served_under_that_name
            }
        }
    };
}

/// Those of TCP.
#[doc(hidden)]
#[macro_export]
macro_rules! tcp_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            contract {
                a_vectored_write_takes_more_than_its_first_slice
                #[cfg(unix)]
                closing_a_stream_ends_one_direction_only
                a_stream_is_waited_for_in_both_directions_at_once
                a_handler_that_panics_ends_its_own_connection_only
            }
            addresses {
                #[cfg(target_os = "linux")] a_client_comes_from_the_address_it_is_told_to
                a_client_comes_from_the_port_it_is_told_to_also_when_it_returns
                a_local_port_that_is_taken_is_the_error_of_the_attempt
                an_address_that_is_not_of_this_machine_is_the_error_of_the_attempt
                ipv6_is_served_and_reached
                a_name_is_reached_over_the_family_that_is_asked_for
                a_lookup_of_ones_own_finds_the_server_behind_addresses_that_do_not_answer
            }
            protocol {
                a_frame_that_is_no_event_is_reported_or_ends_the_connection_as_configured
                a_message_that_is_never_finished_ends_the_connection_in_time
                a_message_larger_than_allowed_is_refused_by_both_sides
                bytes_that_come_one_by_one_are_the_same_events
                a_peer_that_has_ended_its_side_is_still_answered
                half_a_message_is_no_event
            }
            admission {
                whoever_the_filter_refuses_never_becomes_a_peer_and_the_reason_is_told_here_only
                a_filter_that_panics_lets_nobody_in_and_harms_nobody_else
                without_credentials_the_own_user_is_not_known
                a_full_server_tells_whom_it_has_no_room_for
            }
        }
    };
}

/// Those of TLS.
#[doc(hidden)]
#[macro_export]
macro_rules! tls_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            secure {
                events_go_both_ways_by_name_and_by_address
                configurations_of_rustls_take_the_place_of_options
                a_handshake_that_is_broken_off_is_told_and_leaves_nothing
                both_sides_of_a_misunderstanding_are_told
                certificates_that_are_not_trusted_are_refused_with_the_reason
                a_server_that_asks_for_certificates_knows_its_clients_by_them
            }
        }
    };
}

/// Those of UDP.
#[doc(hidden)]
#[macro_export]
macro_rules! udp_behaviours {
    ($transport:ident) => {
        $crate::listed_behaviours! { $transport
            udp {
                servers_speak_to_each_other_over_ipv4
                answers_to_one_peer_are_a_datagram_each_and_in_order
                servers_speak_to_each_other_over_ipv6
                without_a_host_udp6_is_the_loopback_address_of_ipv6
                #[cfg(not(windows))] a_server_on_all_addresses_of_ipv6_is_reached_over_ipv4_too
                the_host_of_node_ipc_for_udp4_may_be_that_of_ipv6
                the_largest_datagram_arrives_whole_and_a_larger_one_is_refused
                raw_bytes_of_every_encoding_go_out_and_in_as_they_are
                nobody_at_the_other_end_neither_ends_nor_spins_the_socket
                an_address_that_cannot_be_reached_is_an_error_event
                a_port_in_use_is_an_error_and_is_free_after_a_stop
                events_of_many_tasks_all_leave_when_send_waits_for_room
                a_broadcast_goes_to_whoever_was_heard_or_added
                emits_of_plain_threads_leave_and_those_without_a_socket_are_refused
                datagrams_are_counted_at_both_ends_and_shutdowns_agree
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
