-- Refusals are kept whole, so that they can be judged again, and bounded by bytes and days.

ALTER TABLE source_refusals RENAME COLUMN body_head TO body;

-- How many bytes of its source were kept up to and including this one. What was kept before this column counts nothing.
ALTER TABLE source_refusals ADD COLUMN bytes_so_far BIGINT NOT NULL DEFAULT 0;

CREATE INDEX source_refusals_by_bytes ON source_refusals (source_id, bytes_so_far);
