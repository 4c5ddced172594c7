//! The lists of tests: names only, so that each backend can make of them what it likes.

/// The names of the tests that need no heap, handed to the macro `$then`.
///
/// A test that is missing here is dead code, which the compiler says.
#[macro_export]
macro_rules! no_heap_tests {
    ($then:ident) => {
        $then! {
            tasks {
                spawned_tasks_take_their_first_steps_in_order_of_creation
                spawn_runs_nothing_before_its_caller_waits
                what_a_task_spawns_takes_its_first_step_behind_all_that_is_ready
                tasks_that_yield_take_turns
                tasks_run_in_the_order_in_which_they_were_woken
                awaiting_gives_what_the_future_returned
                a_yield_takes_one_turn
                a_join_takes_one_turn_from_the_end_of_the_task
                awaiting_a_task_that_has_ended_does_not_wait
                a_timer_fires_in_one_turn_and_its_sleeper_goes_on_in_the_next
                cancelled_before_its_first_step_it_never_runs
                cancelled_while_waiting_it_drops_its_future_one_turn_later
                cancelled_in_a_yield_it_ends_at_the_step_that_is_queued_already
                a_cancel_beats_a_wake_that_is_queued_already
                a_task_that_cancels_itself_ends_where_it_next_waits
                a_task_that_cancels_itself_and_returns_ends_cancelled
                dropping_the_handle_cancels
                detached_it_runs_to_its_end
                an_output_that_nobody_takes_is_dropped_once
                the_future_is_dropped_before_its_awaiter_goes_on
                awaiting_by_reference_leaves_task_and_outcome_where_they_are
                the_last_who_awaits_is_the_one_to_be_woken
                is_done_turns_true_at_the_end_and_cancel_answers_false_from_there
                cancelling_counts_the_requests
                a_task_that_waits_for_a_cancelled_one_sees_it_and_goes_on
                cancelling_a_waiter_that_owns_the_task_it_waits_for_cancels_both
                an_idle_task_is_not_polled_whatever_the_others_do
                woken_many_times_in_one_turn_it_is_polled_once
                slots_are_used_again_and_stale_wakers_do_no_harm
            }
            timers {
                sleepers_go_on_in_the_order_of_their_deadlines
                equal_deadlines_come_in_order_of_registration
                equal_deadlines_come_in_order_of_registration_also_with_others_in_between
                equal_deadlines_keep_their_order_when_some_are_dropped
                a_sleep_that_is_dropped_never_wakes
                a_sleep_of_zero_is_a_yield
                deadlines_that_are_past_come_in_their_order_too
                a_sleeper_is_polled_twice
                a_sleep_polled_for_another_reason_goes_on_and_its_last_waker_counts
                a_sleep_counts_from_its_first_poll
                a_deadline_that_never_comes_keeps_nobody_waiting
                time_does_not_go_back
                a_timeout_around_what_is_ready_at_once_never_looks_at_the_clock
                a_timeout_that_expires_drops_its_future
                a_timeout_that_expires_has_dropped_its_future_even_where_it_is_kept
                a_timeout_in_time_gives_the_output_and_holds_no_time
                the_outer_of_two_timeouts_that_expire_together_reports
                cancelled_after_two_timeouts_that_expired_together_it_ends_where_it_waits
                a_timeout_of_zero_ends_what_waits
                a_deadline_that_has_fired_decides_though_the_future_became_ready
                cancelling_a_sleeper_ends_it_at_once
                due_together_all_wake_in_one_turn
                what_is_ready_goes_before_what_falls_due
                one_of_two_sleeps_in_a_race_wins_and_the_other_leaves_nothing
            }
            locks {
                a_mutex_is_one_tasks_across_its_waits
                a_free_lock_is_taken_without_waiting
                a_lock_that_is_released_is_had_one_turn_later
                locks_go_round_in_order_of_arrival
                a_newcomer_does_not_overtake_who_was_handed_the_lock
                a_mutex_gives_its_value_to_who_owns_it
                a_raw_lock_counts_as_free_between_release_and_the_step_of_the_next
                an_event_lets_all_through_even_if_it_is_cleared_before_they_run
                an_event_that_is_set_lets_pass_without_waiting_until_it_is_cleared
                an_event_may_be_waited_for_again_and_again
                a_semaphore_lets_as_many_in_as_it_has_permits
                permits_are_counted_through_forget_and_release
                a_newcomer_does_not_overtake_who_was_given_a_permit
                all_newcomers_for_whom_there_are_permits_are_told_together
                a_granted_permit_that_is_dropped_goes_on_with_all_that_are_there
            }
            queues {
                items_leave_in_the_order_of_the_kind
                a_full_queue_gives_the_item_back
                what_is_put_is_got_in_order_through_a_queue_of_one
                getters_are_served_in_order_of_arrival
                an_item_that_is_put_is_had_one_turn_later
                a_newcomer_may_take_the_item_and_the_woken_one_waits_again_at_the_end
                a_waiting_getter_polled_for_another_reason_does_not_overtake_the_woken_one
                a_waiting_putter_polled_for_another_reason_does_not_overtake_the_woken_one
                a_put_that_is_dropped_takes_its_item_with_it
                items_that_are_left_go_with_the_queue
                join_waits_until_every_item_is_done
                shut_down_to_drain_it_gives_what_is_in_and_takes_no_more
                shut_down_it_ends_the_wait_of_all_in_one_turn
                shut_down_at_once_it_drops_what_is_in_and_counts_it_as_done
                four_producers_and_two_consumers_lose_nothing
            }
            wait {
                a_cell_wakes_once_and_forgets
                a_second_waker_takes_the_place_of_the_first
                a_waker_that_is_taken_out_is_the_one_that_was_registered
                a_task_waits_in_a_cell_at_the_cost_of_two_polls
                a_queue_of_waiters_is_told_in_order_and_polled_no_more_than_told
                a_waiter_that_was_told_and_is_dropped_tells_the_next
                what_changes_while_a_waiter_joins_is_not_missed
                a_cell_is_woken_from_elsewhere
                an_event_is_set_from_elsewhere
                permits_are_released_from_elsewhere
                items_are_put_from_elsewhere_in_order
                elsewhere_wakes_while_other_tasks_sleep_and_yield
            }
            pool {
                a_full_pool_gives_the_future_back
                a_place_is_free_when_its_task_has_ended_and_its_handle_is_gone
                a_place_is_used_for_futures_of_many_types
                future_and_output_are_dropped_once
                a_place_whose_task_was_woken_in_its_last_step_is_free
            }
            mutex {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            raw_lock {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            semaphore {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            event {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            getters {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            putters {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            joiners {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
        }
    };
}

/// The names of more tests that need no heap: of what many share. A list of its own, for all
/// together are more than the flash of a small chip holds.
#[macro_export]
macro_rules! no_heap_shared_tests {
    ($then:ident) => {
        $then! {
            one_shot {
                a_value_is_received_once_and_sent_once
                a_receiver_waits_at_the_cost_of_two_polls_and_goes_on_one_turn_later
                a_receiver_dropped_at_any_stage_leaves_the_value_to_the_next
                the_value_is_dropped_once_wherever_it_is
                requests_are_answered_in_turn
                a_value_is_sent_from_elsewhere
            }
            futures {
                a_value_is_set_once_and_seen_by_all
                a_future_that_was_cancelled_has_no_value
                awaiters_go_on_in_order_of_arrival_one_turn_later
                cancelling_an_awaiter_cancels_the_future_for_all
                a_cancel_behind_the_set_unwinds_the_awaiter_and_leaves_the_value
                a_timeout_around_an_await_cancels_the_future
                an_awaiter_that_waits_for_something_else_meanwhile_leaves_the_future_be
                an_awaiter_dropped_at_any_stage_leaves_the_others_be
                the_value_is_dropped_once_wherever_it_is
            }
            variables {
                a_variable_is_set_for_what_runs_in_its_scope
                tasks_that_take_turns_have_their_own
                two_scopes_in_one_task_keep_apart
                a_scope_is_left_with_its_variable_set
            }
            conditions {
                those_who_are_notified_go_on_in_order_of_arrival
                a_wait_gives_the_lock_back_and_ends_with_it
                from_a_notification_to_the_waiter_is_one_turn_if_the_lock_is_free_then
                waiting_for_something_looks_again_after_each_notification
                cancelled_in_a_wait_it_unwinds_with_the_lock
                cancelled_in_a_wait_with_the_lock_free_it_ends_in_the_next_turn
                cancelled_after_it_was_notified_it_notifies_another
                a_notification_passes_over_who_is_cancelled
                cancelled_again_while_it_takes_the_lock_it_queues_anew
                a_timeout_around_a_wait_ends_it_when_it_has_the_lock
                a_task_may_wait_again_after_a_timeout_around_a_wait
                dropped_at_any_stage_a_wait_leaves_lock_and_notification_to_others
                a_notification_dropped_in_the_line_for_the_lock_goes_to_another
                a_raw_condition_needs_its_lock_held
                two_conditions_may_share_a_lock
                a_task_that_cancels_itself_and_waits_unwinds_with_the_lock
            }
            barriers {
                the_last_goes_on_at_once_and_the_others_in_order_one_turn_later
                a_barrier_is_used_again_and_again
                who_comes_while_it_drains_belongs_to_the_next_round
                a_barrier_for_one_never_waits
                an_abort_ends_all_waits_until_a_reset
                a_reset_ends_the_waits_of_those_inside_and_newcomers_wait_for_them
                a_place_that_is_given_up_is_to_be_taken_by_another
                dropped_at_any_stage_a_wait_at_a_barrier_leaves_it_as_it_was
            }
        }
    };
}

/// The names of those of what holds other futures: scopes, futures side by side, generators.
#[macro_export]
macro_rules! no_heap_structured_tests {
    ($then:ident) => {
        $then! {
            scopes {
                timeouts_in_branches_of_one_task_expire_each_alone
                a_timeout_that_loses_a_race_as_it_expires_cancels_nobody
                a_task_awaited_beside_a_timeout_is_left_alone_when_that_expires
                a_request_from_outside_unwinds_all_branches
                a_time_limit_is_moved_by_its_body
                a_time_limit_is_moved_from_elsewhere
                a_time_limit_whose_scope_is_dropped_is_over
                clean_up_runs_behind_the_body_and_its_output_is_given
                a_cancelled_task_ends_when_its_clean_up_has
                clean_ups_nest_and_run_from_the_inside
                what_a_clean_up_awaits_is_not_cancelled
                a_clean_up_that_takes_too_long_is_dropped_and_reported
                a_cancelled_task_counts_the_turns_of_its_clean_up
            }
            groups {
                the_exit_waits_for_all_and_values_can_be_awaited
                the_first_failure_cancels_the_others_in_order_and_then_the_body
                errors_of_all_children_and_the_body_have_room
                a_full_pool_gives_the_future_back_and_places_come_free
                groups_in_children_of_groups
                a_cancelled_child_has_not_failed
                children_bring_more_of_their_kind_until_the_group_is_left
                cancelled_at_each_turn_the_parent_waits_for_all
                dropped_at_each_turn_it_cancels_all_and_leaves_nothing
                a_timeout_around_a_group_waits_for_its_children
            }
            combine {
                join_gives_what_all_have_come_to_in_the_order_given
                a_join_takes_as_long_as_the_longest_and_polls_none_that_has_ended
                a_joined_future_is_dropped_as_soon_as_it_has_ended
                select_gives_the_first_and_drops_the_others_before_its_caller_goes_on
                what_is_lent_to_a_select_goes_on
                a_cancelled_join_drops_its_futures_in_order_in_one_turn
                a_select_dropped_at_any_stage_drops_its_futures
                a_timeout_in_a_branch_leaves_its_neighbours_alone
                a_timeout_around_branches_drops_them_all
                a_request_from_outside_beats_the_time_that_is_up_in_a_branch
                a_cancelled_select_leaves_the_tasks_it_waits_for_alone
                the_attempts_of_a_race_start_one_after_the_other
                a_cancelled_race_drops_its_attempts
            }
            generators {
                items_come_in_order_and_then_none_for_ever
                a_step_takes_no_turn_and_a_wait_in_the_body_takes_what_it_takes
                a_consumer_of_a_body_that_waits_is_idle
                closed_before_it_began_it_runs_nothing
                closing_runs_the_guards_there_and_then
                a_dropped_next_loses_nothing_and_the_body_goes_on
                a_cancelled_consumer_drops_the_generator_that_it_owns
                an_error_is_the_last_item
                an_emit_dropped_before_it_is_taken_takes_its_item_back
                what_is_emitted_behind_a_forgotten_emit_waits_for_room
                an_emit_with_a_waker_of_its_own_is_woken_when_the_next_item_is_asked_for
                an_emit_polled_for_other_reasons_waits_until_its_item_is_taken
                generators_nest_and_each_emits_to_its_own
                a_body_passes_its_emitter_to_functions
                a_generator_that_moves_between_tasks_goes_on_where_it_was
                a_comprehension_filters_and_maps
                a_comprehension_has_loops_within_loops
                a_stream_is_folded_and_searched
            }
        }
    };
}

/// The names of still more: of what there is beyond asyncio.
#[macro_export]
macro_rules! no_heap_beyond_tests {
    ($then:ident) => {
        $then! {
            bounded {
                a_release_too_many_fails_and_changes_nothing
                a_permit_released_by_hand_is_not_released_twice
                a_newcomer_does_not_overtake_who_was_given_a_permit
            }
            rwlock {
                readers_share_and_a_writer_is_alone
                readers_and_writers_go_in_by_order_of_arrival
                idle_readers_are_never_polled
                a_reader_waits_behind_a_writer_that_waits
                a_writer_that_gives_up_lets_the_readers_behind_it_in
                what_was_granted_to_a_reader_that_is_dropped_goes_to_the_writer_behind
                waiters_about_to_be_cancelled_are_passed_over
                a_newcomer_does_not_overtake_who_was_let_in
                a_newcomer_does_not_overtake_a_reader_behind_a_writer_that_is_about_to_go
                downgraded_it_lets_readers_in_and_no_writer
                a_lock_gives_its_value_to_who_owns_it
                a_write_is_one_tasks_across_its_waits
            }
            once {
                a_value_is_made_once_by_who_comes_first
                what_is_there_is_had_without_waiting
                idle_waiters_for_a_value_are_never_polled
                if_who_makes_it_is_dropped_the_next_makes_it
                a_turn_granted_and_dropped_goes_to_the_next
                if_making_fails_the_next_makes_it
                a_waiter_about_to_be_cancelled_does_not_get_the_turn
                who_only_waits_is_never_asked_to_make_it
                a_value_is_set_from_elsewhere_and_once
            }
            broadcast {
                every_receiver_gets_every_message_in_order
                a_message_is_for_those_who_have_subscribed
                a_sender_waits_for_the_slowest_receiver
                senders_that_wait_are_served_in_order_of_arrival
                a_newcomer_does_not_overtake_who_was_promised_room
                what_is_published_takes_the_place_of_the_oldest_and_who_lags_is_told
                who_finds_the_promised_room_taken_waits_again
                a_receiver_that_goes_gives_up_what_it_has_not_taken
                with_the_last_receiver_all_senders_go_on
                closed_it_gives_what_is_left_and_takes_no_more
                messages_are_dropped_once_and_the_last_is_no_copy
                messages_are_published_from_elsewhere
            }
            watched {
                a_receiver_sees_the_latest_and_each_change_once
                a_change_is_seen_one_turn_later_by_all_in_order
                a_change_that_was_not_taken_up_is_still_to_be_seen
                what_was_not_modified_wakes_nobody
                a_change_that_comes_in_between_is_not_lost
                a_value_that_is_replaced_is_dropped_once
                a_watch_is_changed_from_elsewhere
            }
            signals {
                the_last_value_wins
                a_signal_is_had_one_turn_later_and_once
                reset_takes_it_back_also_from_who_was_told
                each_value_goes_to_one_in_order_of_arrival
                a_value_that_is_replaced_is_dropped_at_once
                it_is_signalled_from_elsewhere
            }
            bounded_semaphore {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            writers {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            signal {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            watch {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            listeners {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
            speakers {
                idle_waiters_are_never_polled
                dropped_before_its_first_poll_it_leaves_no_trace
                dropped_while_waiting_it_leaves_the_line_to_the_others
                granted_then_dropped_passes_it_on
                granted_then_dropped_alone_leaves_it_to_the_next
                polled_for_another_reason_it_keeps_its_place
                cancelled_then_opened_for_the_next_loses_nothing
                opened_for_one_then_cancelled_loses_nothing
            }
        }
    };
}

/// The names of the tests that need a host, handed to the macro `$then`.
#[macro_export]
macro_rules! hosted_tests {
    ($then:ident) => {
        $then! {
            contexts {
                a_task_inherits_what_was_set_when_it_was_spawned
                what_a_task_sets_is_its_own_over_its_waits
                many_variables_keep_apart
                a_token_leads_back_once_in_its_own_context_only
                tasks_in_a_given_context_share_it
                a_future_in_a_scope_has_its_context_at_each_poll_and_in_its_end
                a_task_ends_in_its_own_context_however_it_ends
                values_go_with_the_last_who_has_them
                a_value_may_use_its_variable_in_its_drop
                where_no_context_is_nothing_is_set_and_setting_says_so
                each_run_begins_with_nothing_set_and_loops_within_loops_keep_apart
                a_panic_leaves_the_context_that_it_goes_through
            }
            combine {
                gather_gives_all_values_two_turns_after_the_last_has_ended
                a_gather_is_polled_twice_however_many_tasks_it_has
                the_first_that_is_cancelled_ends_a_gather_and_the_others_go_on
                the_first_error_ends_a_try_gather_and_the_others_go_on
                a_cancelled_gather_cancels_its_tasks_and_waits_for_them
                a_gather_that_is_dropped_drops_what_it_was_given
                what_is_leaked_looks_at_no_task_that_is_gone
                combinators_of_tasks_work_under_foreign_wakers
                a_gather_dropped_by_the_waker_that_it_calls
                what_was_waited_for_on_a_loop_that_has_ended_is_had_on_the_next
                wait_tells_who_has_ended_and_cancels_nobody
                wait_ends_with_the_first_error_or_in_time
                a_cancelled_wait_leaves_its_tasks_alone
                as_completed_hands_tasks_out_as_they_end
                a_next_that_is_dropped_loses_no_task
                the_time_is_up_for_each_task_that_has_not_ended
                a_shield_keeps_a_cancellation_from_the_task
                cancel_and_wait_is_over_when_the_guards_have_run
            }
            callbacks {
                callbacks_and_steps_stand_in_one_line
                what_a_callback_makes_ready_waits_for_the_next_turn
                a_timers_callback_runs_in_the_very_turn_in_which_it_is_due
                what_a_timers_callback_starts_is_all_in_the_next_turn
                taken_back_a_callback_is_dropped_at_once
                a_callback_takes_back_itself_in_vain_and_the_next_in_time
                handles_and_names_of_what_is_over_leave_alone_what_has_its_place
                names_of_tasks_that_are_over_leave_lent_futures_alone
                between_turns_a_handle_calls_and_afterwards_nothing_does
                callbacks_that_are_left_run_in_the_next_run_or_are_dropped_at_the_end
                what_a_dropped_callback_takes_back_and_begins_to_wait_for_ends_in_one_piece
                callbacks_that_outlive_their_loop_are_not_called_by_the_thread_that_has_it_next
                what_the_hook_leaves_when_it_is_dropped_is_not_left_to_the_next_loop
                callbacks_are_no_tasks
                done_callbacks_and_awaiters_of_a_task_go_in_order
                the_end_of_a_task_is_told_however_it_ends
                callbacks_and_awaiters_of_a_future_go_in_order
                a_callback_keeps_its_future_until_it_has_run
                a_leaked_awaiter_leads_nowhere
                errors_of_callbacks_go_to_the_hook_and_the_batch_goes_on
                a_hook_may_put_another_in_its_place
                a_task_that_was_let_go_reports_its_error
                a_panic_in_a_callback_goes_through_run_and_the_others_are_called
                an_eager_task_takes_its_first_step_within_spawn
                an_eager_step_cancels_its_spawner_who_ends_where_it_next_waits
                a_panic_in_an_eager_step_is_the_spawners_too
                an_eager_task_starts_in_a_destructor_of_a_task_that_unwinds
                awaiters_under_wakers_of_others_are_woken_too
                a_callback_registered_while_the_loop_closes_is_dropped
                callbacks_run_in_a_copy_of_the_context_in_which_they_were_registered
                a_callback_dropped_in_a_step_leaves_the_step_its_task
            }
            foreign {
                locks_go_round_in_order_under_futures_unordered
                sleeps_end_in_order_under_futures_unordered
                idle_waiters_are_never_polled_under_futures_unordered
                join_all_of_few_and_of_many
                the_loser_of_a_select_loses_nothing
                timeouts_and_tasks_are_awaited_under_foreign_wakers
                primitives_work_under_an_executor_made_by_hand
                no_lock_is_held_while_a_waker_is_cloned_woken_or_dropped
                a_waker_may_let_the_next_one_through
                a_waker_may_put_into_the_queue_that_wakes_it_and_set_the_event_again
                a_waker_kept_beyond_its_task_wakes_nobody_wrong
                a_waker_called_in_the_drop_of_the_future_that_it_is_for
                a_future_that_moves_between_tasks_is_woken_where_it_was_polled_last
                waiters_that_outlive_the_task_that_polled_them_are_not_forgotten
                a_body_emits_from_a_set_of_futures
                a_generator_fits_into_adapters_that_are_not_ours
                two_generators_in_a_race_lose_nothing
                waiters_that_outlive_their_task_lose_nothing_in_any_order
                a_grant_while_a_waker_is_cloned_is_not_missed
                a_timeout_expires_also_if_it_is_put_aside_meanwhile
                a_timeout_that_has_expired_goes_on_in_another_task
                a_group_unwinds_also_if_it_is_put_aside_meanwhile
                what_is_awaited_beside_a_scope_is_not_cancelled_for_it
            }
            group {
                the_exit_waits_for_all_and_values_can_be_awaited
                a_group_without_children_does_not_wait
                the_first_failure_cancels_the_others_in_order_and_then_the_body
                all_errors_are_given_the_bodys_last
                groups_nest_and_a_group_may_be_an_error
                a_cancelled_child_has_not_failed
                cancelled_at_each_turn_the_parent_waits_for_all
                dropped_at_each_poll_it_cancels_all_and_leaves_nothing
                cancelled_before_its_first_step_the_body_never_runs
                an_error_and_a_request_from_outside_both_count
                children_bring_more_of_their_kind_until_the_group_is_left
                a_child_may_outlive_its_group_as_a_handle
                a_child_is_awaited_by_many_and_by_one_who_goes
                names_are_given_and_seen
                an_eager_child_begins_at_once_and_its_end_is_told_later
                an_eager_child_may_leave_its_group_behind
                an_eager_child_that_panics_panics_in_the_call
                what_takes_tasks_takes_children
                a_child_that_fails_counts_as_cancelled_to_who_waits
                a_failure_in_one_branch_leaves_the_other_alone
                a_group_that_loses_a_race_as_it_fails_cancels_nobody
                groups_work_under_foreign_wakers
                what_goes_on_unwinding_under_foreign_wakers_takes_its_own_task_along_and_no_other
                many_failures_under_a_foreign_waker_are_all_told_of
                a_child_that_panics_counts_as_cancelled
                a_runner_that_goes_takes_groups_and_children_with_it
            }
            scoped {
                children_borrow_and_bring_more
                the_first_failure_unwinds_the_others_in_order_and_then_the_body
                what_waits_as_it_unwinds_is_waited_for
                cancelled_at_each_turn_the_task_waits_for_all
                dropped_at_each_poll_it_drops_the_body_and_then_the_children
                an_idle_child_is_not_polled
                children_are_the_task_and_their_timeouts_are_their_own
                a_cancelled_child_of_a_scope_has_not_failed
                a_forgotten_scope_runs_no_child_again
                scopes_work_under_foreign_wakers_and_without_a_loop
                what_the_body_awaits_is_cancelled_with_the_task
                who_awaits_a_child_from_outside_hears_of_it_when_the_scope_is_dropped
                a_waker_that_is_the_end_of_its_scope
            }
            hostile {
                a_task_that_owns_its_own_handle_ends_in_one_piece
                tasks_that_wait_for_each_other_can_be_cancelled
                a_future_that_drops_its_own_handle_after_it_was_ready
                a_future_that_awaits_its_own_handle_in_its_drop
                an_output_that_owns_the_handle_of_its_task
                an_output_that_drops_the_last_handle_of_another_task
                a_destructor_spawns_and_cancels_and_drops_handles
                items_whose_drop_comes_back_to_their_queue
                an_order_that_comes_back_to_its_queue_is_noticed
                guards_in_cancelled_tasks_let_the_next_through
                a_timed_out_future_whose_drop_waits_for_nobody
                tasks_that_drop_each_others_handles
                a_sleep_dropped_by_the_waker_of_another_that_is_due_with_it
                a_closing_runner_whose_tasks_spawn_wake_and_wait_in_their_destructors
                a_body_that_emits_while_it_is_dropped
                tasks_that_await_each_other_are_cancelled
                a_time_limit_taken_away_while_a_waker_is_cloned
            }
            models {
                a_raw_lock_does_as_the_model
                a_mutex_does_as_the_model
                a_semaphore_does_as_the_model
                an_event_does_as_the_model
                a_queue_does_as_the_model
                a_lifo_queue_does_as_the_model
                a_priority_queue_does_as_the_model
                queues_without_a_heap_do_as_the_model
            }
            beyond {
                a_bounded_semaphore_does_as_the_model
                a_rwlock_does_as_the_model
                a_once_cell_does_as_the_model
                a_broadcast_does_as_the_model
                a_watch_does_as_the_model
                a_signal_does_as_the_model
            }
            panics {
                a_panic_in_a_task_goes_through_run_and_the_task_counts_as_cancelled
                after_a_panic_the_other_tasks_go_on_in_the_next_run
                a_panic_in_main_leaves_the_tasks_for_the_next_run
                a_panic_in_a_lent_future_leaves_no_trace_of_the_others
                a_panic_in_the_drop_of_a_cancelled_future_ends_that_task_alone
                a_panic_in_the_drop_of_a_finished_future_drops_its_output
                a_panic_in_the_drop_of_an_output_harms_nobody
                a_panic_in_the_drop_of_an_output_leaves_the_place_free
                a_task_that_panics_while_it_holds_a_lock_gives_it_back
                a_waker_that_panics_in_a_timer_does_not_lose_the_other_timers
                a_leftover_that_panics_when_the_runner_goes_does_not_spoil_the_next_runner
                an_event_releases_those_behind_a_waker_that_panics
                the_end_of_a_task_is_told_to_those_behind_a_waker_that_panics
                a_group_that_is_dropped_lets_all_children_go_though_a_waker_panics
                the_last_task_done_tells_those_behind_a_waker_that_panics
                shutdown_tells_all_though_wakers_panic
                shutdown_drops_the_items_behind_one_whose_drop_panics
                a_comparison_that_panics_leaves_a_queue_whole
                a_waker_that_panics_in_get_takes_that_item_and_no_more
                a_waker_that_panics_when_it_is_dropped_takes_no_lock_with_it
                a_panic_does_not_break_the_ambient_loop
                a_panic_in_the_body_of_a_generator_goes_through_next_and_ends_it
            }
            runner {
                what_is_left_after_a_run_goes_on_in_the_next
                main_may_borrow
                when_main_has_ended_one_more_batch_runs
                leftovers_are_cancelled_in_order_of_creation_by_close
                leftovers_are_cancelled_in_order_of_creation_by_drop
                leftovers_that_never_began_are_dropped_in_order_of_creation
                what_was_woken_outside_of_the_loop_goes_before_what_comes_later
                lent_futures_run_together_and_may_borrow
                lent_futures_spawn_and_await_tasks
                runners_nest
                a_task_of_the_outer_loop_is_cancelled_and_dropped_from_the_inner
                turns_are_taken_inside_another_loop
                a_turn_runs_exactly_what_is_ready_when_it_begins
                a_wake_between_turns_is_a_reason_to_come_back
                a_handle_outlives_its_runner
                a_sleep_outlives_its_loop_and_goes_on_in_the_next
                a_sleep_is_polled_and_dropped_by_another_loop_while_its_own_lives
                what_is_spawned_on_a_closing_loop_is_dropped_at_once_and_counts_as_cancelled
                outside_of_a_loop_a_call_says_what_it_needs
                a_thousand_runners_one_after_the_other_and_a_hundred_at_a_time
            }
            shared {
                a_clone_that_comes_back_to_its_channel_or_watch_is_noticed
                messages_and_values_whose_drop_comes_back_to_where_they_were
                a_clone_that_panics_changes_nothing
                a_waker_that_reads_again_at_once_does_not_keep_the_lock_from_writers
                a_panic_while_the_value_is_made_lets_the_next_make_it
                readers_and_writers_in_threads_are_cancelled_at_random_and_none_is_forgotten
                messages_go_to_all_receivers_in_threads
                a_value_is_made_once_however_many_threads_want_it_and_give_up
                a_value_watched_from_threads_is_never_a_mixture_and_no_change_is_lost
            }
            stale {
                a_handle_of_a_callback_that_was_called_leads_to_no_other
                a_name_of_a_task_that_has_ended_leads_to_no_callback
                a_name_of_a_task_that_has_ended_leads_to_no_lent_future
                a_callback_is_called_though_the_place_of_its_task_is_taken
                a_stale_wake_is_no_end_of_time_and_no_end_of_a_task
                a_callback_of_a_loop_that_has_ended_is_called_by_no_other
                a_waiter_that_was_leaked_does_not_lead_to_where_its_future_was
                a_future_is_cancelled_through_a_waiter_whatever_wakers_do
                a_closing_runner_drops_tasks_whose_places_callbacks_take
                a_predicate_that_drops_the_task_that_it_looks_at
            }
            storage {
                futures_and_outputs_of_any_size_and_alignment
                a_task_has_the_name_it_was_given
                queues_with_a_size_given_at_run_time
                ten_thousand_tasks_at_a_time
                a_pool_is_emptied_by_a_runner_that_goes_and_used_by_the_next
                a_pool_serves_loops_in_many_threads
                a_generator_on_the_heap_is_shared_by_tasks_that_take_turns
            }
            threads {
                tasks_and_threads_take_turns_by_a_condition
                tasks_and_threads_meet_at_a_barrier
                four_threads_play_ping_pong_with_the_loop
                a_storm_of_wakes_while_tasks_end_and_slots_are_used_again
                slots_used_a_million_times_with_stale_wakers_called
                a_million_tasks_are_each_woken_in_a_storm_of_stale_wakes
                threads_without_a_loop_share_primitives_with_the_tasks_of_one
                waiters_in_threads_are_cancelled_at_random_and_no_permit_is_lost
                wakes_under_somebodys_lock_do_not_block_each_other
                a_parked_loop_is_woken_however_short_it_sleeps
            }
        }
    };
}
