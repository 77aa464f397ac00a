-- How the last failed attempt of a delivery failed, to find deliveries by it; and what was done about those that were given up.

ALTER TABLE deliveries ADD COLUMN last_failure TEXT;   -- 503, connection_refused; NULL: no attempt failed
ALTER TABLE deliveries ADD COLUMN resolution TEXT;     -- exhausted: resent, dismissed
ALTER TABLE deliveries ADD COLUMN resolved_at INTEGER;

UPDATE deliveries SET last_failure = (
  SELECT coalesce(a.reason, CAST(a.status AS TEXT)) FROM attempts a WHERE a.delivery_id = deliveries.id
  AND (a.outcome = 'unanswered' OR a.outcome = 'answered' AND a.status NOT BETWEEN 200 AND 299)
  ORDER BY a.number DESC LIMIT 1)
WHERE failures_answered + failures_unanswered > 0;

-- What was sent again before this was written down.
UPDATE deliveries SET resolution = 'resent', resolved_at = (
  SELECT min(later.created_at) FROM deliveries later
  WHERE later.event_id = deliveries.event_id AND later.webhook_id = deliveries.webhook_id AND later.id > deliveries.id)
WHERE state = 'exhausted' AND EXISTS (
  SELECT 1 FROM deliveries later
  WHERE later.event_id = deliveries.event_id AND later.webhook_id = deliveries.webhook_id AND later.id > deliveries.id);

CREATE INDEX deliveries_by_failure ON deliveries (company_id, last_failure) WHERE last_failure IS NOT NULL;

-- Dead letters: by the time, and by what they have in common. What tells that they are dead is in the indexes, so that rows need
-- not be looked at to count them.
CREATE INDEX deliveries_dead ON deliveries (company_id, id, state, resolved_at) WHERE state = 'exhausted' AND resolved_at IS NULL;
CREATE INDEX deliveries_dead_alike ON deliveries (company_id, webhook_id, last_failure, kind, id, state, resolved_at)
  WHERE state = 'exhausted' AND resolved_at IS NULL;
