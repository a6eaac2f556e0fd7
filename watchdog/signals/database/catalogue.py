"""What of PostgreSQL's catalogue code has to understand, as names with texts.

Role: queries, and what their rows mean; pure. Neighbours: `signals.database.reader` asks. Source: facts/back-ends 12. Guarantees:
only ``pg_catalog`` is read, for which every role has the rights, and which also shows what the role may not touch.
Left out, because code does not depend on it or it changes by itself: plain indexes, partitions of a partitioned table,
temporary tables, objects of extensions, sequences, rights, comments.
"""

from __future__ import annotations

MOST_OBJECTS = 5000
"""More are refused: `schemas` names those that matter."""

_USERS = """n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'
  AND (cardinality($1::text[]) = 0 OR n.nspname = ANY($1))"""

_NOT_OF_AN_EXTENSION = """NOT EXISTS (
    SELECT 1 FROM pg_depend d WHERE d.classid = '{catalogue}'::regclass AND d.objid = {row}.oid AND d.deptype = 'e')"""

TABLES = f"""
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END
       || ' ' || n.nspname || '.' || c.relname AS name,
  concat_ws(E'\\n',
    (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
        || CASE WHEN a.attidentity <> '' THEN ' identity' WHEN a.attgenerated <> '' THEN ' generated'
                WHEN a.atthasdef THEN ' default' ELSE '' END, E'\\n' ORDER BY a.attname)
      FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT string_agg(pg_get_constraintdef(k.oid), E'\\n' ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('p', 'u', 'c', 'f', 'x')),
    (SELECT string_agg(pg_get_indexdef(i.indexrelid), E'\\n' ORDER BY i.indexrelid::regclass::text)
      FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND NOT EXISTS (
        SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)),
    (SELECT string_agg(pg_get_triggerdef(t.oid), E'\\n' ORDER BY t.tgname)
      FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END
  ) AS text
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND {_USERS} AND {_NOT_OF_AN_EXTENSION.format(catalogue="pg_class", row="c")}
ORDER BY 1 LIMIT {MOST_OBJECTS + 1}"""

TYPES = f"""
SELECT 'type ' || n.nspname || '.' || t.typname AS name,
  string_agg(e.enumlabel, E'\\n' ORDER BY e.enumsortorder) AS text
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
WHERE {_USERS} AND {_NOT_OF_AN_EXTENSION.format(catalogue="pg_type", row="t")}
GROUP BY 1 ORDER BY 1 LIMIT {MOST_OBJECTS + 1}"""

FUNCTIONS = f"""
SELECT 'function ' || n.nspname || '.' || p.proname AS name,
  string_agg(pg_get_function_arguments(p.oid) || ' ' || coalesce(pg_get_function_result(p.oid), '') || ' ' || md5(p.prosrc),
    E'\\n' ORDER BY p.oid::regprocedure::text) AS text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prokind IN ('f', 'p') AND {_USERS} AND {_NOT_OF_AN_EXTENSION.format(catalogue="pg_proc", row="p")}
GROUP BY 1 ORDER BY 1 LIMIT {MOST_OBJECTS + 1}"""

SCHEMAS = "SELECT nspname AS name FROM pg_namespace WHERE nspname = ANY($1::text[])"

HISTORIES = f"""
SELECT n.nspname AS schema, c.relname AS name, has_table_privilege(c.oid, 'SELECT')
    AND has_schema_privilege(n.oid, 'USAGE') AS readable,
  ARRAY(SELECT a.attname::text FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relname = ANY($2::text[]) AND {_USERS} ORDER BY 1, 2"""
