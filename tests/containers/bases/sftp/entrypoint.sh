#!/bin/bash
# One user from SFTP_USERS=name:password:uid:gid:folders, confined to its home.
set -euo pipefail
IFS=: read -r name password uid gid folders <<< "$SFTP_USERS"
if ! id "$name" >/dev/null 2>&1; then
    useradd --uid "$uid" --gid "$gid" --no-create-home --home-dir "/home/$name" --shell /usr/sbin/nologin "$name"
    echo "$name:$password" | chpasswd
    install -d "/home/$name"
    for folder in ${folders//,/ }; do
        install -d -o "$uid" -g "$gid" "/home/$name/$folder"
    done
    rm -f /etc/ssh/ssh_host_*
    ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
fi
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f /dev/null \
    -o HostKey=/etc/ssh/ssh_host_ed25519_key -o UsePAM=no -o PasswordAuthentication=yes \
    -o Subsystem="sftp internal-sftp" -o ForceCommand=internal-sftp -o ChrootDirectory=%h
