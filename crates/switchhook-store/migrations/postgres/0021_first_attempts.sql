-- Nothing to do: with a SQLite file the first attempt of a delivered delivery is in the delivery's row, here it has its own.
SELECT 1;
