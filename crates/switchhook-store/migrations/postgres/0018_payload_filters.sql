-- Filters on the payload: JSON; NULL: every event of the kind that the subscription's other filter lets through.

ALTER TABLE subscriptions ADD COLUMN payload_filter TEXT;
ALTER TABLE subscription_versions ADD COLUMN payload_filter TEXT;

-- Two subscriptions of an endpoint differ by either filter.
DROP INDEX subscriptions_by_filter;
CREATE UNIQUE INDEX subscriptions_by_filter ON subscriptions (company_id, webhook_id, filter, coalesce(payload_filter, ''))
  WHERE deleted_at IS NULL AND webhook_id IS NOT NULL;
DROP INDEX subscriptions_by_websocket_and_filter;
CREATE UNIQUE INDEX subscriptions_by_websocket_and_filter
  ON subscriptions (company_id, websocket_id, filter, coalesce(payload_filter, ''))
  WHERE deleted_at IS NULL AND websocket_id IS NOT NULL;
