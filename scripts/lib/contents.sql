-- What a database holds, as one line of JSON: for each table its rows, and a checksum over all of them that does not depend on
-- their order. Two databases with the same line hold the same rows. Run by the owner or a superuser, whom row-level
-- security does not bind.
SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex';
SELECT 'SELECT jsonb_object_agg(name, jsonb_build_object(''rows'', held, ''checksum'', total::text)) FROM ('
    || string_agg(format('SELECT %L AS name, count(*) AS held, coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS total FROM %I t',
                         relname, relname), ' UNION ALL ') || ') tables'
FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
\gexec
