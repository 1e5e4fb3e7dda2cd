# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A private apt: own sources, lists and cache under $APT_DIR, so that packages
# of other Debian suites and architectures can be looked up and downloaded and
# the machine's own apt is neither changed nor asked to install any of them.
# Mirrors and proxies are those the machine is configured with.
#
# Needs: CACHE, CODENAME, say, die.

APT_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# What the machine's own release does not have comes from this one.
APT_NEWER=trixie

# apt_use SUITE ARCHITECTURE: the archive that the functions below look into.
apt_use()
{
	APT_SUITE=$1
	APT_ARCH=$2
	APT_DIR=$CACHE/apt
	[ "$APT_SUITE $APT_ARCH" = "$CODENAME amd64" ] ||
		APT_DIR=$CACHE/apt-$APT_SUITE-$APT_ARCH
}
apt_use "$CODENAME" amd64

# The mirror that serves suite $1, out of the machine's configuration.
apt_mirror()
{
	apt-get indextargets --no-release-info \
		--format "\$(RELEASE) \$(REPO_URI)" 2>/dev/null |
		awk -v suite="$1" '$1 == suite { print $2; exit }'
}

apt_write_config()
{
	local base security signed=""

	base=$(apt_mirror "$CODENAME")
	[ -n "$base" ] || base=$(apt_mirror stable)
	[ -n "$base" ] ||
		die "apt has no source for Debian $CODENAME: add one to /etc/apt"
	security=$(apt_mirror "$CODENAME-security")
	[ -n "$security" ] || security=$(apt_mirror stable-security)
	[ -n "$security" ] || security=${base%/}-security
	[ ! -r "$APT_KEYRING" ] || signed="[signed-by=$APT_KEYRING] "

	mkdir -p "$APT_DIR/none" "$APT_DIR/lists/partial" \
		"$APT_DIR/cache/archives/partial"
	: > "$APT_DIR/status"
	cat > "$APT_DIR/apt.conf" <<-CONF
	APT::Architecture "$APT_ARCH";
	APT::Architectures { "$APT_ARCH"; };
	Dir::Etc::sourcelist "$APT_DIR/sources.list";
	Dir::Etc::sourceparts "-";
	Dir::Etc::preferencesparts "$APT_DIR/none";
	Dir::State::lists "$APT_DIR/lists";
	Dir::State::status "$APT_DIR/status";
	Dir::Cache "$APT_DIR/cache";
	Dir::Cache::pkgcache "pkgcache.bin";
	Dir::Cache::srcpkgcache "srcpkgcache.bin";
	APT::Sandbox::User "root";
	APT::Update::Post-Invoke-Success "";
	Acquire::Languages "none";
	Acquire::Retries "3";
	CONF
	{
		echo "deb $signed$base $APT_SUITE main"
		echo "deb $signed$security $APT_SUITE-security main"
		[ "$APT_SUITE" = "$APT_NEWER" ] ||
			echo "deb $signed$base $APT_SUITE-backports main"
		echo "deb $signed$base $APT_NEWER-backports main"
		echo "deb-src $signed$base $APT_NEWER main"
		echo "deb-src $signed$security $APT_NEWER-security main"
	} > "$APT_DIR/sources.list.new"
	if cmp -s "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"; then
		rm "$APT_DIR/sources.list.new"
	else
		mv "$APT_DIR/sources.list.new" "$APT_DIR/sources.list"
		rm -f "$APT_DIR/updated"
	fi
}

apt_refresh()
{
	say "reading the package lists"
	if apt-get -c "$APT_DIR/apt.conf" -q update >&2; then
		touch "$APT_DIR/updated"
	elif [ -e "$APT_DIR/updated" ]; then
		say "the package lists could not be refreshed: using the old ones"
	else
		die "apt cannot reach Debian's mirrors: check the network and /etc/apt"
	fi
}

# Lists at most a day old.
apt_ready()
{
	mkdir -p "$APT_DIR"
	{
		flock 8
		apt_write_config
		[ -n "$(find "$APT_DIR/updated" -mtime -1 2>/dev/null)" ] ||
			apt_refresh
	} 8> "$APT_DIR/lock"
}

# The newest package whose name matches the regular expression $1.
apt_newest()
{
	local name

	name=$(apt-cache -c "$APT_DIR/apt.conf" pkgnames | grep -E -x "$1" |
		sort -V | tail -n 1)
	[ -n "$name" ] || die "Debian's archive has no package matching $1"
	echo "$name"
}

# The newest version of package $1.
apt_version()
{
	local version

	version=$(apt-cache -c "$APT_DIR/apt.conf" show "$1" 2>/dev/null |
		sed -n 's/^Version: //p' | sort -V | tail -n 1)
	[ -n "$version" ] || die "Debian's archive has no package $1"
	echo "$version"
}

# The newest version of source package $1 that starts with $2.
apt_source_version()
{
	local version

	version=$(apt-cache -c "$APT_DIR/apt.conf" showsrc --only-source "$1" |
		sed -n 's/^Version: //p' | grep -F "$2" | sort -V | tail -n 1)
	[ -n "$version" ] || die "Debian's archive has no source $1 $2"
	echo "$version"
}

# apt_fetch DIR "apt-get command" PACKAGE=VERSION ...: into the directory.
# Lists a few hours old may name a version the mirror has just dropped.
apt_fetch()
{
	local dir=$1 command

	read -ra command <<< "$2"
	shift 2
	mkdir -p "$dir"
	say "downloading $*"
	command=(apt-get -c "$APT_DIR/apt.conf" -qq "${command[@]}" "$@")
	(cd "$dir" && "${command[@]}") >&2 && return
	{ flock 8; apt_refresh; } 8> "$APT_DIR/lock"
	(cd "$dir" && "${command[@]}") >&2 || die "the download of $* failed"
}

# unpack_debs DIR: those in DIR/debs, into DIR.
unpack_debs()
{
	local dir=$1 deb

	for deb in "$dir"/debs/*.deb; do
		dpkg-deb -x "$deb" "$dir"
	done
	rm -r "$dir/debs"
}

# apt_unpack DIR package=version ...: unpacked there, installed nowhere.
apt_unpack()
{
	local dir=$1

	shift
	apt_fetch "$dir/debs" download "$@"
	unpack_debs "$dir"
}

# apt_unpack_all DIR SUITE package ...: with all that they depend on, the libc
# included. No package counts as installed.
apt_unpack_all()
{
	local dir=$1 how="install -y -t $2"

	shift 2
	how+=" --no-install-recommends --download-only"
	how+=" -o Dir::Cache::archives=$dir/debs"
	mkdir -p "$dir/debs/partial"
	apt_fetch "$dir/debs" "$how" "$@"
	unpack_debs "$dir"
}
