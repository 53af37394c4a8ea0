#!/bin/bash
# Makes the secrets of compose.yaml, each once: a second run changes nothing. They stay in deploy/secrets, out of the repository.
set -eu -o pipefail
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

keep() { # keep NAME VALUE
  if [ ! -e "secrets/$1" ]; then
    printf '%s' "$2" >"secrets/$1"
    echo "made secrets/$1"
  fi
  # Docker mounts the file as it is, and the containers are not root.
  chmod 644 "secrets/$1"
}
random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

keep postgres_password "$(random)"
keep factoryops_database_password "$(random)"
password=$(cat secrets/factoryops_database_password)
keep database_url "postgresql+psycopg://factoryops:$password@database/factoryops"
keep lake_catalog_url "postgresql://factoryops:$password@database/lake"
keep dagster_database_url "postgresql://factoryops:$password@database/dagster"
keep jwt_secret_key "$(random)"
keep s3_access_key_id factoryops
keep s3_secret_access_key "$(random)"
keep mqtt_password "$(random)"
keep smtp_password ""
keep twilio_auth_token ""
