-- Grant a role, created if necessary, read-only access to all present and future tables and views.
-- The owner of the tables runs it: vo db grant ROLE, or psql --set role=ROLE --file readonly.sql URL
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT current_schema AS schema \gset
REVOKE CREATE ON SCHEMA :"schema" FROM PUBLIC;
GRANT USAGE ON SCHEMA :"schema" TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA :"schema" TO :"role";
ALTER DEFAULT PRIVILEGES IN SCHEMA :"schema" GRANT SELECT ON TABLES TO :"role";
-- PostgreSQL only warns of a grant that the account may not make.
SELECT has_schema_privilege(:'role', current_schema, 'USAGE') AS may_use \gset
\if :may_use
\else
    DO 'BEGIN RAISE ''the owner of the schema must grant USAGE on it to the role''; END';
\endif
