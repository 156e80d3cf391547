#!/bin/sh
# Makes Temporal's two databases, or brings them up to this version. It may run any
# number of times. Connection: SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER, SQL_PASSWORD.
set -eu

for name in temporal visibility; do
	database=temporal
	[ "$name" = temporal ] || database=temporal_visibility
	temporal-sql-tool --db "$database" create
	temporal-sql-tool --db "$database" setup-schema -v 0.0
	temporal-sql-tool --db "$database" update-schema --schema-name "postgresql/v12/$name"
done
