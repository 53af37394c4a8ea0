#!/bin/bash
# Run once by the PostgreSQL image on an empty volume: three databases, and the role that FactoryOps signs in as.
# An ordinary role: row-level security binds no superuser.
set -eu -o pipefail
password=$(cat /run/secrets/factoryops_database_password)
psql --set=ON_ERROR_STOP=1 --set=password="$password" --username postgres <<'SQL'
CREATE ROLE factoryops LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB PASSWORD :'password';
CREATE DATABASE factoryops OWNER factoryops;
CREATE DATABASE lake OWNER factoryops;
CREATE DATABASE dagster OWNER factoryops;
SQL
