# Needs: aws
export AWS_ENDPOINT_URL_SECRETS_MANAGER="$AWS" AWS_ENDPOINT_URL_STS=http://127.0.0.1:9
export AWS_ACCESS_KEY_ID=one AWS_SECRET_ACCESS_KEY=one
fails ansible-playbook play.yml -e url="$URL" -e name=shop > shown
tr -s '[:space:]' ' ' < shown | grep -q 'AWS STS.*Where the secret is named by its ARN, STS is not needed'
[ "$(mints)" = 0 ]
arn=$(python - <<'PYTHON'
import os, boto3
client = boto3.client("secretsmanager", region_name="eu-west-1")
print(client.create_secret(Name="shop", SecretString="{}")["ARN"])
PYTHON
)
ansible-playbook play.yml -e url="$URL" -e name="$arn"
ansible-playbook play.yml -e url="$URL" -e name="$arn" > shown
grep -q 'changed=0' shown
[ "$(mints)" = 1 ]
