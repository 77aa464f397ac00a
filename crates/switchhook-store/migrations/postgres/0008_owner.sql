-- Nothing to do: a SQLite file has one owner, a PostgreSQL database has many nodes, and their leases are in `nodes`.
SELECT 1;
