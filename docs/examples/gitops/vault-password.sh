#!/bin/sh
# Ansible runs this and reads the vault password; it comes from a masked variable of the pipeline, and is in no file.
printf '%s\n' "${ANSIBLE_VAULT_PASSWORD:?set it as a masked variable of the pipeline}"
