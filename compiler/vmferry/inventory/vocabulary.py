"""Words of vmferry's own that may stand in notes and attributes: only these of a note reach a file in git."""

import re


def words(text: str) -> frozenset[str]:
    """Return the words of a table, in lower case."""
    return frozenset(text.split())


DEV_WORDS = words(
    "dev devel develop development devtest test tests testing tst qa qas qual quality uat sit integration stage "
    "staging stg sandbox sbx lab labs poc demo training train nonprod preprod preproduction playground experimental "
    "acceptance acc entw entwicklung abnahme abn vorproduktion vorprod schulung testsystem spielwiese "
    "developpement développement recette rec rct recett homologation homol hml formation essai préproduction "
    "preproducción preproduccion ppr ppd pprd desarrollo des pruebas prueba calidad formación formacion "
    "homologação homologacao desenvolvimento desenv teste testes treinamento "
    "sviluppo collaudo prove formazione ontwikkeling ontw toets acceptatie opleiding rozwoj testowe"
)
"""Words for any environment but production, in the languages estates are written in."""

PROD_WORDS = words(
    "prod prd production live productive productief produktion produktiv produktivsystem echtbetrieb prodsystem "
    "produccion producción producao produção produzione productie produkcja prodn"
)
INTEGRATION = "int"
"""Integration where an environment is asked for; in a name it means internal as well."""

ENVIRONMENTS = DEV_WORDS | PROD_WORDS | {INTEGRATION, "non prod", "non production", "pre prod", "pre production"}
"""Values of an attribute that are an environment whatever the attribute is called."""

ENVIRONMENT_ATTRIBUTES = words(
    "env environment stage tier umgebung environnement entorno ambiente omgeving lifecycle sdlc systemumgebung"
)
"""Words in the name of a custom attribute that says what environment a VM belongs to."""

ATTRIBUTE_WORDS = ENVIRONMENT_ATTRIBUTES | words(
    "owner owners besitzer eigentümer propriétaire proprietaire propietario proprietario eigenaar verantwortlich "
    "verantwortlicher responsible responsable responsabile team group gruppe équipe equipe squad application app apps "
    "anwendung applikation aplicación aplicacion aplicação applicazione applicatie system service dienst servicio "
    "serviço servizio cost center centre costcenter kostenstelle kst centro de coste coût cout costo custo abteilung "
    "department dept département departamento reparto afdeling criticality criticité kritikalität criticidad sla "
    "backup policy sicherung sauvegarde priority priorität project projekt projet proyecto progetto role rolle rôle "
    "function funktion fonction función business unit customer kunde client site standort location depends on "
    "dependencies dependson requires bu name of the by it status last run"
)
"""Words that names of harmless attributes are made of; a name with any other word stays in vCenter."""

PROSE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vsphere", ("vmware", "appliance", "vcenter server", "site recovery manager", "nsx edge", "nsx-t manager")),
    ("vsphere", ("nsx manager", "vsphere replication", "hcx", "vrealize", "log insight", "aria operations")),
    ("backup", ("veeam proxy", "veeam repository", "veeam backup & replication", "veeam server", "media agent")),
    ("backup", ("backup proxy", "backup server", "backup repository", "backup appliance", "backup-server")),
    ("backup", ("backupserver", "sicherungsserver", "serveur de sauvegarde", "servidor de backup")),
    ("backup", ("servidor de copias", "server di backup", "backup-proxy", "proxy de sauvegarde")),
    ("appliance", ("netscaler", "fortigate", "fortinet", "panorama", "palo alto", "big-ip", "f5 ltm", "checkpoint")),
    ("appliance", ("check point", "vendor image", "virtual appliance", "sophos", "pfsense", "opnsense")),
    ("leftover", ("decom", "decommissioned", "decommission", "to be deleted", "to delete", "delete", "obsolete")),
    ("leftover", ("replaced by", "switched off", "shut down", "retired", "no longer used", "not used any more")),
    ("leftover", ("löschen", "gelöscht", "loeschen", "kann weg", "abgelöst", "abgeschaltet", "stillgelegt")),
    ("leftover", ("außer betrieb", "ausser betrieb", "veraltet", "nicht mehr benötigt", "ersetzt durch")),
    ("leftover", ("supprimer", "à supprimer", "hors service", "obsolète", "plus utilisé", "remplacé par")),
    ("leftover", ("décommissionné", "arrêté", "borrar", "eliminar", "dado de baja", "fuera de servicio")),
    ("leftover", ("sustituido por", "reemplazado por", "obsoleto", "desativado", "excluir", "substituído por")),
    ("leftover", ("dismesso", "da eliminare", "sostituito da", "verwijderen", "uitgeschakeld", "do usunięcia")),
    ("SQL Server", ("sql server", "mssql", "sql 2012", "sql 2014", "sql 2016", "sql 2017", "sql 2019", "sql 2022")),
    ("PostgreSQL", ("postgresql", "postgres")),
    ("MySQL", ("mysql", "mariadb", "percona")),
    ("Oracle", ("oracle 11g", "oracle 12c", "oracle 19c", "oracle rac", "oracle database", "oracle db")),
    ("database", ("mongodb", "cassandra", "redis", "sap hana", "db2", "informix", "sybase", "couchbase", "influxdb")),
    ("database", ("wsfc node", "database server", "datenbankserver", "datenbank", "base de données")),
    ("database", ("base de datos", "banco de dados", "base dati", "serveur de bases de données")),
    ("message broker", ("rabbitmq", "kafka", "activemq", "artemis", "ibm mq", "zookeeper")),
    ("search or log store", ("elasticsearch", "opensearch", "splunk", "graylog", "solr")),
    ("repository or CI", ("jenkins", "gitlab server", "gitlab ce", "gitlab ee", "sonatype nexus", "artifactory")),
    ("file server", ("file shares", "file share", "file server", "fileserver", "dfs root", "dfs", "nas")),
    ("file server", ("dateiserver", "dateiablage", "serveur de fichiers", "servidor de archivos")),
    ("file server", ("servidor de ficheros", "servidor de arquivos", "file, print", "sftp")),
    ("mail", ("exchange 2013", "exchange 2016", "exchange 2019", "exchange", "mailserver", "mail server", "zimbra")),
    ("mail", ("serveur de messagerie", "servidor de correo")),
    ("desktop", ("cad user desktop", "user desktop")),
    ("directory", ("active directory", "domain controller", "domänencontroller", "contrôleur de domaine")),
    ("directory", ("controlador de dominio", "controller di dominio", "openldap", "freeipa")),
    ("print server", ("print server", "printserver", "druckserver", "serveur d'impression", "servidor de impresión")),
    ("network service", ("dhcp", "dns server", "wsus", "sccm", "radius", "ntp server", "nameserver", "dns-server")),
    ("monitoring", ("prometheus", "grafana", "nagios", "zabbix", "icinga", "checkmk", "prtg", "centreon")),
    ("cluster control plane", ("control plane", "etcd")),
    ("terminal server broker", ("citrix delivery controller", "delivery controller", "connection broker")),
    ("web server", ("nginx", "apache httpd", "httpd", "haproxy", "traefik", "envoy", "squid", "varnish", "webserver")),
    ("application server", ("tomcat", "jboss", "wildfly", "node.js", "nodejs", "spring boot", "gitlab-runner")),
    ("application server", ("stateless", "kubeadm worker", "k8s worker", "kubernetes worker")),
    ("session host", ("citrix vda", "rds session host", "session host", "terminalserver", "sitzungshost")),
)
"""What a note may say: for what it is taken, and the phrases."""

REBUILT = words("nginx httpd haproxy traefik envoy squid varnish tomcat jboss wildfly node.js nodejs gitlab-runner") | {
    "apache httpd",
    "spring boot",
    "kubeadm worker",
    "k8s worker",
    "kubernetes worker",
}
"""Phrases for software that has a container image everybody uses, or that a cluster makes again."""

MEANING = {phrase: what for what, phrases in PROSE for phrase in phrases}
NOTED = re.compile(
    rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(MEANING, key=len, reverse=True)))})(?!\w)", re.IGNORECASE
)
"""Finds the phrases in a note."""
