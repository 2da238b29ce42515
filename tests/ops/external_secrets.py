"""A stand-in for External Secrets and the kubelet: secrets of Secrets Manager become files, and follow it every second.

external_secrets.py FOLDER NAME=FILE...   until SIGTERM; as a mounted Secret FOLDER/..data is a link that is switched at once
"""

import os
import shutil
import sys
import time

import boto3


def main(folder, pairs):
    client = boto3.client("secretsmanager", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    shown, round_ = {}, 0
    while True:
        # The stage is named: Amazon's default is not everybody's.
        values = {file: client.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")["SecretString"] for name, file in pairs}
        if values != shown:
            round_ += 1
            target = os.path.join(folder, f"..{round_}")
            os.makedirs(target)
            for file, value in values.items():
                with open(os.path.join(target, file), "w") as out:
                    out.write(value)
                if not os.path.islink(os.path.join(folder, file)):
                    os.symlink(os.path.join("..data", file), os.path.join(folder, file))
            os.symlink(f"..{round_}", os.path.join(folder, "..next"))
            os.rename(os.path.join(folder, "..next"), os.path.join(folder, "..data"))
            shutil.rmtree(os.path.join(folder, f"..{round_ - 1}"), ignore_errors=True)
            shown = values
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1], [pair.split("=", 1) for pair in sys.argv[2:]])
