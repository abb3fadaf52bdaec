"""Phrases in notes that describe a VM or mark it as left over: only these parts of a note reach a file in git."""

import re
from collections.abc import Iterable

PROSE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("leftover", ("decom", "decommissioned", "decommission", "to be deleted", "to delete", "delete", "obsolete")),
    ("leftover", ("replaced by", "switched off", "shut down", "retired", "no longer used", "not used any more")),
    ("leftover", ("no longer needed", "superseded by", "end of life")),
    ("leftover", ("löschen", "gelöscht", "loeschen", "kann weg", "abgelöst", "abgeschaltet", "stillgelegt")),
    ("leftover", ("außer betrieb", "ausser betrieb", "veraltet", "nicht mehr benötigt", "ersetzt durch", "altsystem")),
    ("leftover", ("nicht mehr in betrieb", "wird nicht mehr gebraucht", "abgelöst durch", "ausgemustert")),
    ("leftover", ("supprimer", "à supprimer", "hors service", "obsolète", "plus utilisé", "remplacé par")),
    ("leftover", ("décommissionné", "décommissionnée", "à décommissionner", "arrêté", "arrêtée", "plus utilisée")),
    ("leftover", ("remplacée par", "ne plus utiliser", "borrar", "eliminar", "dado de baja", "fuera de servicio")),
    ("leftover", ("sustituido por", "reemplazado por", "obsoleto", "obsoleta", "ya no se usa", "desactivado")),
    ("leftover", ("desativado", "desativada", "excluir", "substituído por", "substituída por", "fora de uso")),
    ("leftover", ("dismesso", "dismessa", "da eliminare", "da cancellare", "sostituito da", "non più in uso")),
    ("leftover", ("verwijderen", "uitgeschakeld", "niet meer in gebruik", "vervangen door")),
    ("leftover", ("do usunięcia", "nieużywany", "wycofany", "zastąpiony przez")),
    ("vsphere", ("vmware", "appliance", "vcenter server", "site recovery manager", "nsx edge", "nsx-t manager")),
    ("vsphere", ("nsx manager", "vsphere replication", "hcx", "vrealize", "log insight", "aria operations")),
    ("backup", ("veeam proxy", "veeam repository", "veeam backup & replication", "veeam server", "media agent")),
    ("backup", ("backup proxy", "backup server", "backup repository", "backup appliance", "backup-server")),
    ("backup", ("backupserver", "backup-proxy", "sicherungsserver", "datensicherung", "serveur de sauvegarde")),
    ("backup", ("proxy de sauvegarde", "servidor de backup", "servidor de copias", "copias de seguridad")),
    ("backup", ("server di backup", "commvault", "netbackup", "networker server", "tsm server")),
    ("appliance", ("netscaler", "fortigate", "fortinet", "panorama", "palo alto", "big-ip", "f5 ltm", "checkpoint")),
    ("appliance", ("check point", "vendor appliance", "virtual appliance", "sophos", "pfsense", "opnsense")),
    (
        "appliance",
        ("hersteller-appliance", "appliance virtuelle", "appliance virtual", "firewall", "load balancer vpx"),
    ),
    ("directory", ("active directory", "domain controller", "domänencontroller", "domaincontroller", "openldap")),
    ("directory", ("contrôleur de domaine", "controlador de dominio", "controlador de domínio", "annuaire ldap")),
    ("directory", ("controller di dominio", "kontroler domeny", "freeipa", "verzeichnisdienst")),
    ("terminal server broker", ("citrix delivery controller", "delivery controller", "connection broker")),
    ("cluster control plane", ("control plane", "etcd")),
    ("repository or CI", ("jenkins", "gitlab server", "gitlab ce", "gitlab ee", "sonatype nexus", "artifactory")),
    ("repository or CI", ("gitea", "sonarqube", "subversion", "harbor")),
    ("application server", ("gitlab-runner", "gitlab runner")),
    ("SQL Server", ("sql server", "sql-server", "mssql", "sql 2012", "sql 2014", "sql 2016", "sql 2017", "sql 2019")),
    ("SQL Server", ("sql 2022", "wsfc node")),
    ("PostgreSQL", ("postgresql", "postgres")),
    ("MySQL", ("mysql", "mariadb", "percona")),
    ("Oracle", ("oracle 11g", "oracle 12c", "oracle 19c", "oracle 21c", "oracle rac", "oracle database", "oracle db")),
    ("Oracle", ("oracle-datenbank", "base oracle", "oracle dataguard", "oracle data guard")),
    ("database", ("mongodb", "cassandra", "redis", "sap hana", "db2", "informix", "sybase", "couchbase", "influxdb")),
    ("database", ("database server", "datenbankserver", "datenbank", "base de données", "bases de données")),
    ("database", ("base de datos", "bases de datos", "banco de dados", "base dati", "databaseserver", "baza danych")),
    ("message broker", ("rabbitmq", "kafka", "activemq", "artemis", "ibm mq", "mqseries", "zookeeper")),
    ("search or log store", ("elasticsearch", "opensearch", "splunk", "graylog", "solr", "logstash")),
    ("file server", ("file shares", "file share", "file server", "fileserver", "dfs root", "dfs", "nas")),
    ("file server", ("dateiserver", "dateiablage", "dateifreigaben", "freigaben", "serveur de fichiers")),
    ("file server", ("partages de fichiers", "partages", "servidor de archivos", "servidor de ficheros")),
    ("file server", ("servidor de arquivos", "carpetas compartidas", "sftp", "bestandsserver", "serwer plików")),
    ("mail", ("exchange 2013", "exchange 2016", "exchange 2019", "exchange", "mailserver", "mail server", "zimbra")),
    ("mail", ("serveur de messagerie", "messagerie", "servidor de correo", "servidor de correio", "postfix")),
    ("print server", ("print server", "printserver", "druckserver", "serveur d'impression", "servidor de impresión")),
    ("print server", ("servidor de impressão", "server di stampa", "serwer wydruku")),
    ("network service", ("dhcp", "dns server", "dns-server", "serveur dns", "servidor dns", "nameserver", "wsus")),
    ("network service", ("sccm", "radius", "ntp server", "zeitserver", "kms", "bind9")),
    ("monitoring", ("prometheus", "grafana", "nagios", "zabbix", "icinga", "checkmk", "prtg", "centreon")),
    ("monitoring", ("überwachung", "supervision", "monitorización", "monitoraggio", "monitoring server")),
    ("business application", ("document management", "dokumentenmanagement", "gestion documentaire", "sharepoint")),
    ("desktop", ("user desktop", "workstation", "arbeitsplatz", "poste de travail", "puesto de trabajo")),
    ("session host", ("citrix vda", "rds session host", "session host", "terminalserver", "terminal server")),
    ("session host", ("sitzungshost", "serveur de sessions", "bureau à distance", "escritorio remoto")),
    ("web server", ("nginx", "apache httpd", "httpd", "haproxy", "traefik", "envoy", "squid", "varnish", "webserver")),
    ("web server", ("web server", "serveur web", "servidor web", "reverse proxy", "reverse-proxy")),
    ("application server", ("tomcat", "jboss", "wildfly", "node.js", "nodejs", "spring boot", "websphere")),
    ("application server", ("stateless", "kubeadm worker", "k8s worker", "kubernetes worker", "worker node")),
    ("application server", ("application server", "anwendungsserver", "applikationsserver", "serveur d'application")),
    ("application server", ("servidor de aplicaciones", "servidor de aplicações", "applicatieserver")),
)
"""Meanings and their phrases; if a note has several, the first meaning counts."""

IDLE = frozenset(("leftover", "vsphere"))
"""Meanings that do not describe what runs in a VM."""

STATELESS = frozenset(
    ("web server", "application server", "proxy or load balancer", "session host", "worker", "cache", "gateway")
)
"""Meanings of systems without their own data."""

REBUILT = frozenset(
    (
        *("nginx", "httpd", "apache httpd", "haproxy", "traefik", "envoy", "squid", "varnish", "tomcat", "jboss"),
        *("wildfly", "node.js", "nodejs", "gitlab-runner", "gitlab runner", "spring boot"),
        *("kubeadm worker", "k8s worker", "kubernetes worker"),
    )
)
"""Phrases for software with a standard container image, or that a cluster recreates."""

MEANING = {phrase: what for what, phrases in PROSE for phrase in phrases}
_RANKS = {phrase: rank for rank, phrase in enumerate(MEANING)}
NOTED = re.compile(
    rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(MEANING, key=len, reverse=True)))})(?!\w)", re.IGNORECASE
)
"""Finds the phrases in a note."""


def meanings(phrases: Iterable[str]) -> list[tuple[str, str]]:
    """Return the meaning of each known phrase, with the phrase, clearest first."""
    known = sorted({phrase for phrase in phrases if phrase in _RANKS}, key=_RANKS.__getitem__)
    return [(MEANING[phrase], phrase) for phrase in known]
