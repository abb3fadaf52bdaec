"""Tables of hints: what words in names, mount points, guest systems and extensions mean.

These are words that admins use in names; none of them proves anything. So every guess based on them is written into the
draft with its reason, for a person to review.
"""

import re
from collections.abc import Collection, Mapping
from typing import Literal, NamedTuple

PhaseName = Literal["dev-test", "stateless", "stateful", "management"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Software(NamedTuple):
    """What a word in a name means for the software in the VM."""

    what: str
    words: tuple[str, ...]  # `*` at an end stands for anything


class Table:
    """What words in names mean; the first match wins."""

    def __init__(self, *software: Software) -> None:
        self._exact: dict[str, str] = {}
        self._wild: list[tuple[re.Pattern[str], str]] = []
        for each in software:
            for word in each.words:
                if "*" in word:
                    self._wild.append((re.compile(re.escape(word).replace(r"\*", ".*"), re.DOTALL), each.what))
                else:
                    self._exact.setdefault(word, each.what)
        self._known: dict[str, str | None] = {}

    @property
    def codes(self) -> Collection[str]:
        """Return the words without wildcards."""
        return self._exact.keys()

    def what(self, word: str) -> str | None:
        """Return the meaning of a word; None if the table does not have it."""
        if word not in self._known:
            wild = next((what for pattern, what in self._wild if pattern.fullmatch(word)), None)
            self._known[word] = self._exact.get(word, wild)
        return self._known[word]


STATEFUL_SOFTWARE = Table(
    Software("database", ("db", "*db", "dbs", "database", "sql", "*sql", "mssql", "sqlsrv", "oracle", "ora", "rac")),
    Software("database", ("pg", "pgsql", "postgres*", "mysql*", "mariadb*", "maria", "mongo*", "cassandra", "couch*")),
    Software("database", ("redis", "influx*", "clickhouse", "db2", "sybase", "informix", "neo4j", "hana", "teradata")),
    Software("database", ("sqls", "pgs", "mys", "bdd", "bbdd", "sgbd", "datenbank*", "baza", "hdb", "mss")),
    Software("message broker", ("kafka", "rabbit*", "mq", "rmq", "amq", "activemq", "artemis", "nats")),
    Software("message broker", ("zookeeper", "zk", "etcd", "broker")),
    Software("search or log store", ("elastic*", "opensearch", "solr", "splunk", "graylog", "loki", "elk", "logs")),
    Software("file server", ("file", "files", "fileserver", "filer", "nas", "nfs", "smb", "samba", "ftp", "sftp")),
    Software("file server", ("fs", "dfs", "datei", "dateien", "ablage", "fichier*", "fic")),
    Software("file server", ("archivos", "ficheros", "arquivos", "bestanden", "pliki", "share", "shares", "partage*")),
    Software("document store", ("doc", "docs", "dms", "ged", "dokument*", "documents", "documentos")),
    Software("object or block storage", ("minio", "ceph", "gluster", "s3", "iscsi", "san")),
    Software("directory", ("ldap*", "addc", "adds", "pdc", "bdc", "rodc", "idm", "ipa", "freeipa")),
    Software(
        "directory",
        (
            "annuaire",
            "domainctl",
        ),
    ),
    Software("mail", ("mail", "mx", "exchange", "exch", "mbx", "smtp", "imap", "zimbra", "postfix")),
    Software("mail", ("messagerie", "correo", "correio", "posta", "poczta")),
    Software(
        "business application", ("sap", "erp", "crm", "sharepoint", "dynamics", "navision", "siebel", "peoplesoft")
    ),
    Software("repository or CI", ("git", "gitlab", "svn", "nexus", "artifactory", "jenkins", "harbor", "registry")),
    Software("secrets or certificates", ("vault", "pki", "hsm", "keycloak", "adfs")),
    Software("network service", ("dns", "dhcp", "dhc", "ntp", "radius", "nps", "wsus", "sccm", "kms", "ipam")),
    Software("print server", ("print", "printsrv", "prn", "druck*", "imp", "impr", "impression", "impresion")),
    Software("print server", ("impressao", "stampa", "drukarka")),
    Software("monitoring", ("prometheus", "zabbix", "zbx", "nagios", "icinga", "checkmk", "grafana", "prtg")),
    Software("monitoring", ("mon", "monitor*", "monit", "centreon", "supervision", "ueberwachung")),
)
WINDOWS_SOFTWARE = Table(Software("directory or certificates", ("ad", "dc", "ca")))
"""Words that mean this only in the name of a Windows VM without another hint: `dc1-web-01` is in a datacenter."""

STATELESS_SOFTWARE = Table(
    Software(
        "web server", ("web", "web*", "www", "www*", "nginx", "httpd", "apache", "iis", "front", "frontend", "fe")
    ),
    Software(
        "application server", ("app", "app*", "api", "tomcat", "jboss", "wildfly", "node", "nodejs", "springboot")
    ),
    Software("application server", ("apl", "appl", "anw", "aplic", "tom", "was", "wls", "websphere")),
    Software("proxy or load balancer", ("proxy", "*proxy", "lb", "haproxy", "traefik", "envoy", "squid", "varnish")),
    Software("proxy or load balancer", ("prx", "pxy", "slb", "rproxy")),
    Software("gateway", ("gw", "gateway", "edge", "cdn", "bastion", "jump", "jumphost", "rdgw", "rds", "citrix")),
    Software("session host", ("ctx", "rdsh", "vda", "xenapp", "xa", "ts", "terminal")),
    Software("worker", ("worker", "wrk", "batch", "runner", "render", "compute", "k8s", "kube", "ocp")),
    Software("cache", ("cache", "memcached")),
)
CONTAINER_READY = _words(
    "nginx httpd apache haproxy traefik envoy squid varnish tomcat jboss wildfly node nodejs springboot "
    "memcached api web www frontend"
)
"""Words for software with a standard container image; the rest of the evidence must agree."""

BACKUP = Table(
    Software(
        "backup of vSphere", ("veeam*", "vbr", "commvault", "networker", "avamar", "rubrik", "cohesity", "nakivo")
    ),
)
APPLIANCE_MOUNTS = frozenset(
    f"/storage/{part}"
    for part in _words(
        "seat db dblog autodeploy invsvc netdump imagebuilder updatemgr vtsdb vtsdblog lifecycle analytics"
    )
)
"""File systems that only the vCenter Server appliance has."""

SERVES_VSPHERE = Table(
    Software(
        "backup of vSphere", ("veeam", "commvault", "networker", "avamar", "rubrik", "cohesity", "nakivo", "backup")
    ),
    Software("console of vSphere", ("rvtools", "powercli", "vsphere", "vmware")),
)

DATA_MOUNTS: Mapping[str, str] = {
    "/var/lib/mysql": "MySQL",
    "/var/lib/pgsql": "PostgreSQL",
    "/var/lib/postgresql": "PostgreSQL",
    "/var/lib/mongo": "MongoDB",
    "/var/lib/elasticsearch": "Elasticsearch",
    "/var/lib/kafka": "Kafka",
    "/var/lib/rabbitmq": "RabbitMQ",
    "/var/lib/cassandra": "Cassandra",
    "/var/lib/ceph": "Ceph",
    "/var/opt/mssql": "SQL Server",
    "/var/opt/gitlab": "GitLab",
    "/var/lib/jenkins": "Jenkins",
    "/var/spool/mail": "mail",
    "/var/vmail": "mail",
    "/u01": "Oracle",
    "/u02": "Oracle",
    "/oradata": "Oracle",
    "/oracle": "Oracle",
    "/opt/oracle": "Oracle",
    "/hana": "SAP HANA",
    "/usr/sap": "SAP",
    "/sapmnt": "SAP",
    "/backup": "backups",
    "/export": "exported files",
    "/srv": "served files",
    "/data": "data",
    "/mnt/data": "data",
}
"""Mount points, and whose data is there."""

GUESTS: tuple[tuple[PhaseName, str, re.Pattern[str]], ...] = (
    ("stateful", "a storage appliance", re.compile(r"freenas|truenas|ontap|openmediavault", re.IGNORECASE)),
    (
        "stateful",
        "a desktop, with its user's files",
        re.compile(r"windows (xp|vista|7|8|10|11)\b(?!.*server)", re.IGNORECASE),
    ),
    ("stateless", "a container host", re.compile(r"coreos|flatcar|talos|bottlerocket|rancheros", re.IGNORECASE)),
)
"""Guest systems that hint at what a VM is for."""

PRODUCTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("vCenter Server", re.compile(r"\b(vcsa\d*|vcenter\d*|vmware vcenter server appliance)\b", re.IGNORECASE)),
    ("an NSX manager", re.compile(r"\b(nsxt?[-_ ]?(v[-_ ]?)?(mgr|manager|controller|ctrl|unified)\w*)", re.IGNORECASE)),
    ("an NSX edge", re.compile(r"\b(nsxt?[-_ ]?(v[-_ ]?)?(edge|esg|dlr)\w*)", re.IGNORECASE)),
    (
        "Site Recovery Manager",
        re.compile(r"\b(site recovery manager|vmware-srm|srm[-_ ]?(server|appliance))\b", re.IGNORECASE),
    ),
    ("vSphere Replication", re.compile(r"\b(vsphere[-_ ]replication)\b", re.IGNORECASE)),
    ("HCX", re.compile(r"\b(hcx[-_ ]?(manager|connector|cloud|ix|ne|wo)?\d*)\b", re.IGNORECASE)),
    (
        "Aria (vRealize)",
        re.compile(
            r"\b(vrops|vrli|vrni|vra|vrslcm|vrealize\w*|aria[-_ ](ops|operations|automation|logs|networks|lcm))\b",
            re.IGNORECASE,
        ),
    ),
)
"""VMs that serve vSphere itself, by their names."""

EXTENSIONS: tuple[tuple[str, str], ...] = (
    ("com.vmware.vim.eam", "an agent of vSphere (ESX Agent Manager)"),
    ("com.vmware.vcdr", "a placeholder of Site Recovery Manager"),
    ("com.vmware.nsx", "a part of NSX"),
    ("com.vmware.vshield", "a part of NSX"),
    ("com.vmware.vchms", "vSphere Replication"),
)
"""Extensions that manage their own VMs (config.managedBy)."""

TIER_WORDS = (
    ("gold", _words("gold platinum nvme ssd flash allflash af premium fast tier0 tier1 t1 perf")),
    ("silver", _words("silver hybrid standard tier2 t2 sas")),
    ("bronze", _words("bronze sata nl nlsas archive backup bkp slow cold tier3 t3 iso isos templates hdd")),
)
TIER_KINDS: Mapping[str, tuple[str, str]] = {
    "vsan": ("gold", "vSAN"),
    "vvol": ("silver", "vVols"),
    "vmfs": ("silver", "VMFS"),
    "nfs": ("bronze", "NFS"),
    "nfs41": ("bronze", "NFS"),
}
"""Kinds of datastores, the tier they hint at, and their usual names."""
