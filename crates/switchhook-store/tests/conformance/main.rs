//! Conformance suite, which every driver passes: one list of cases, each of which runs against each driver.
//!
//! A case is an `async fn(&mut World)` in the file of its theme and a line in the list below. A driver is a
//! [`Fixture`] and a line in `drivers!`.

#![expect(clippy::unwrap_used, reason = "a case whose store fails has failed")]

mod backup;
mod claims;
mod copying;
mod damage;
mod dead_letters;
mod fixture;
mod history;
mod idempotency;
mod invariants;
mod keys;
mod lists;
mod notifications;
mod one_statement;
mod order;
mod outages;
mod ownership;
mod postgres;
mod postgres_plans;
mod recording;
mod replays;
mod retention;
mod samples;
mod sending;
mod sources;
mod sqlite_only;
mod subscriptions;
mod versions;
mod webhooks;
mod websockets;
mod world;

use fixture::{Fixture, Postgres, SqliteInMemory, SqliteInline, SqliteThreads};
use world::World;

/// One `#[tokio::test]` for each case and driver.
macro_rules! conformance {
    ($($theme:ident: $($case:ident,)+;)+) => {
        macro_rules! cases {
            ($driver:ident, $fixture:ty) => {
                mod $driver {
                    $(mod $theme {
                        use super::super::*;
                        $(
                            #[tokio::test]
                            async fn $case() {
                                if !<$fixture>::is_there() {
                                    return;
                                }
                                crate::$theme::$case(&mut World::new(Box::new(<$fixture>::new())).await).await;
                            }
                        )+
                    })+
                }
            };
        }
    };
}

conformance! {
    keys:
        a_key_is_found_by_its_hash_and_can_be_revoked_once,
        keys_are_listed_oldest_first_by_company_or_all,
        keys_are_found_by_their_ids_as_they_are_now,
        valid_keys_of_a_company_are_counted,
        the_last_use_of_a_key_is_the_latest_that_was_noted,
        an_ended_session_stays_ended_and_the_others_go_on,
        a_flood_of_ended_sessions_ends_all_that_their_key_began,
        ;
    webhooks:
        a_webhook_is_kept_changed_and_deleted,
        a_change_that_does_not_go_with_what_another_made_meanwhile_is_refused,
        changes_of_different_settings_at_once_both_count,
        two_webhooks_of_a_company_cannot_share_a_url,
        one_address_in_another_spelling_is_the_same_address,
        credentials_are_no_part_of_what_webhooks_are_told_apart_by_in_the_store,
        a_deleted_webhook_frees_its_url_and_orphans_its_subscriptions,
        nobody_sees_another_companys_things,
        scans_see_every_company,
        ;
    history:
        sums_are_added_up_and_read_by_whose_and_when,
        nodes_that_add_to_the_same_sums_at_once_lose_nothing,
        the_oldest_sums_are_forgotten_by_slices,
        ;
    outages:
        an_outage_grows_until_it_ends_and_stays_known,
        an_outage_that_ends_within_the_batch_that_begins_it_is_over,
        its_beginning_and_its_end_are_told_once_each,
        a_webhook_that_is_gone_has_no_outage,
        what_waits_for_a_webhook_is_counted_with_its_oldest,
        what_a_delivery_waits_for_is_told,
        a_delivery_is_claimed_by_name_before_what_is_due_earlier,
        deliveries_that_failed_are_found_whatever_became_of_them,
        why_attempts_failed_is_told_along_the_deliveries,
        deliveries_that_failed_often_are_told_a_few_at_a_time,
        ;
    dead_letters:
        the_last_failure_of_a_delivery_is_known_whatever_became_of_it,
        dead_letters_are_told_apart_by_what_they_have_in_common,
        dead_letters_are_listed_oldest_first_and_narrow,
        what_is_dismissed_or_sent_again_is_no_dead_letter,
        a_replay_of_dead_letters_sends_each_event_once,
        ;
    websockets:
        a_websocket_is_kept_changed_and_deleted,
        a_subscription_points_at_a_webhook_or_at_a_websocket,
        a_deleted_websocket_orphans_its_subscriptions,
        the_log_follows_the_commits_and_not_the_ids,
        the_log_has_what_a_websocket_wanted_and_is_read_within_bounds,
        a_feed_is_opened_once_and_earlier_events_come_first,
        a_consumer_is_moved_on_by_acknowledging_and_anywhere_by_seeking,
        ;
    sources:
        a_source_is_found_by_its_token_changed_and_deleted,
        sources_are_listed_oldest_first_and_are_their_companys_alone,
        of_refusals_the_newest_are_kept,
        refusals_are_read_whole_in_slices_and_forgotten,
        sources_that_refused_lately_are_told_with_what_was_last,
        a_number_is_erased_from_refusals_too,
        ;
    notifications:
        a_notice_is_a_notification_until_it_counts_with_one_or_takes_it_back,
        the_operators_notifications_are_shown_to_the_first_company_alone,
        a_channel_is_kept_changed_and_deleted,
        a_notification_goes_to_the_channels_that_want_it_and_to_the_command,
        of_many_that_claim_at_once_one_gets_each_notification,
        old_notifications_are_forgotten,
        deliveries_that_are_given_up_are_told_once_by_webhook,
        a_webhook_that_is_disabled_is_told,
        a_source_that_refuses_or_is_silent_is_told,
        ;
    subscriptions:
        a_filter_on_the_payload_is_kept_changed_and_told_by_each_version,
        a_subscription_of_every_kind_reads_back_as_it_was,
        a_second_subscription_to_the_same_is_refused_by_name,
        a_subscription_needs_a_webhook_of_its_company,
        a_subscription_is_changed_and_deleted,
        limits_of_subscriptions_hold,
        lists_go_page_by_page_and_narrow,
        ;
    versions:
        an_event_is_explained_by_the_subscriptions_it_was_matched_with,
        an_explanation_is_paged_and_can_be_of_one_subscription,
        an_explanation_tells_the_original_deliveries,
        every_change_is_written_down_with_its_time,
        a_change_that_is_refused_leaves_no_version,
        changes_are_told_by_company_or_all,
        ;
    idempotency:
        the_same_key_and_body_get_the_first_answer,
        the_same_key_with_another_body_is_refused,
        a_key_used_too_long_ago_is_free_again,
        two_equal_keys_in_one_batch_are_one_event,
        two_equal_keys_at_once_are_one_event,
        keys_of_two_companies_do_not_meet,
        a_redelivery_is_no_part_of_the_first_answer,
        ;
    recording:
        an_event_reads_back_byte_for_byte,
        a_delivery_that_asks_for_it_is_born_claimed,
        a_delivery_that_does_not_is_due_at_once,
        the_hand_over_comes_before_the_answer_and_in_order,
        an_event_without_deliveries_is_kept_and_hands_nothing_over,
        a_failing_neighbour_fails_alone,
        an_event_is_kept_whole_or_not_at_all,
        ;
    order:
        a_follower_of_a_claimed_one_is_handed_over_behind_it,
        a_follower_of_a_retry_is_held_until_the_block_ends,
        a_follower_that_cannot_be_claimed_is_held,
        other_keys_other_webhooks_and_the_unordered_go_at_once,
        a_success_frees_exactly_the_next_one,
        a_retry_goes_on_blocking_and_a_refusal_does_not,
        cancelling_the_first_frees_the_next,
        a_block_that_ends_lets_the_next_go_with_a_note,
        what_is_behind_a_held_one_is_held_too,
        a_released_follower_waits_behind_the_retry,
        a_due_one_does_not_overtake_a_waiting_retry,
        one_whose_hold_is_over_waits_for_one_that_is_free_since_then,
        what_follows_one_that_overtakes_says_so_too,
        ;
    claims:
        what_is_due_is_claimed_oldest_first_and_no_more_than_requested,
        a_claim_ends_with_the_event_that_brings_its_bytes_together,
        what_is_not_due_is_not_claimed,
        a_claim_carries_the_body_and_opens_the_next_attempt,
        a_lease_that_ended_is_closed_as_lost,
        a_release_gives_the_attempts_number_back,
        a_late_release_changes_nothing,
        of_an_old_claim_and_the_new_one_given_back_together_the_new_one_counts,
        what_looks_expired_is_left_if_the_time_is_not_known,
        what_has_waited_longest_is_found_claimed_or_not,
        what_is_pending_is_counted_up_to_a_bound,
        a_node_is_told_what_is_cancelled_of_what_it_has,
        a_cancelled_delivery_is_not_claimed_and_its_open_attempt_is_closed,
        webhooks_with_pending_deliveries_are_listed_with_their_first_due_time,
        claims_of_an_earlier_life_are_lost_and_due_at_once,
        ;
    sending:
        a_finished_attempt_is_kept_whole,
        every_outcome_reads_back_as_it_was,
        a_retry_is_due_when_the_domain_says,
        a_late_answer_does_not_undo_a_newer_attempt,
        an_attempt_is_finished_once,
        a_final_state_stays,
        a_delivery_cancelled_during_its_attempt_stays_cancelled_and_keeps_the_attempt,
        only_a_pending_delivery_can_be_cancelled,
        a_redelivery_is_a_new_delivery_that_names_its_origin,
        nothing_is_redelivered_to_a_deleted_webhook,
        a_deleted_webhooks_deliveries_are_cancelled_in_slices,
        what_waits_for_a_webhook_is_skipped_and_says_so,
        who_skips_beside_others_ends_when_nothing_waits,
        ;
    replays:
        a_replay_reads_back_as_it_was,
        replays_are_listed_newest_first_and_running_ones_by_id,
        a_replay_goes_to_a_webhook_of_its_company,
        no_more_replays_run_at_once_than_allowed,
        a_webhook_of_a_replay_is_known_to_nodes_only_and_goes_with_it,
        events_are_selected_in_order_and_within_bounds,
        only_what_was_accepted_before_the_replay_is_selected,
        named_events_are_selected_and_missing_ones_passed_over,
        a_step_makes_deliveries_and_moves_the_cursor_together,
        a_step_from_elsewhere_does_nothing,
        a_replayed_delivery_of_a_key_waits_for_the_one_before_it,
        a_replay_counts_how_its_deliveries_end,
        an_event_without_a_payload_is_not_replayed,
        cancelling_a_replay_cancels_what_is_pending,
        a_replay_ends_once,
        a_replayed_delivery_is_no_part_of_the_first_answer,
        a_replay_stands_where_it_stood_after_a_restart,
        ;
    lists:
        events_are_listed_newest_first_page_by_page,
        events_are_narrowed_by_kind_key_and_time,
        a_page_of_large_events_ends_early_and_loses_none,
        a_head_knows_how_large_its_event_is,
        only_small_events_of_the_company_are_read_for_lists,
        deliveries_are_narrowed_by_event_webhook_state_and_kind,
        what_is_rare_is_found_in_several_pages,
        a_list_of_somebody_elses_tells_nothing_however_long_it_is,
        the_last_id_is_the_largest_of_all,
        a_check_leaves_nothing_behind,
        a_closed_store_says_so,
        ;
    retention:
        the_oldest_go_with_all_that_is_theirs,
        a_slice_is_bounded_by_bytes_too,
        what_something_needs_stays,
        an_idempotency_key_goes_with_its_event,
        a_store_knows_how_large_it_is,
        payloads_go_once_they_are_delivered,
        a_number_is_erased_and_the_record_stays,
        a_number_is_erased_from_order_keys,
        an_erasure_goes_slice_by_slice_and_through_one_company,
        companies_are_listed_and_changed,
        replaced_secrets_are_forgotten_when_their_time_is_over,
        ;
    invariants:
        they_hold_whatever_is_done,
        ;
}

cases!(sqlite_with_threads, SqliteThreads);
cases!(sqlite_inline, SqliteInline);
cases!(sqlite_in_memory, SqliteInMemory);
cases!(postgresql, Postgres);
