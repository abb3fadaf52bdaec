"""Words for environments and in attribute names, in several languages."""

import re


def words(text: str) -> frozenset[str]:
    """Return the words of a table, in lower case."""
    return frozenset(text.split())


DEV_WORDS = words(
    "dev devel develop dev-test devtest test tests tst qa qas qual quality uat sit integration stage staging stg "
    "sandbox sbx lab labs poc demo training train nonprod nprd preprod preproduction playground experimental "
    "acceptance acc entw qs quali ppr ppd pprd pre rct hml hom homo formation formación formacion formazione essai "
    "essais qualif calidad qualidade prove opleiding spielwiese bacasable schulung"
)
"""Words for any environment except production, in several languages."""

DEV_STEMS = re.compile(
    r"test(?!ament|imon|at|o$|osteron)|entwickl|abnahme|vorprod|qualit[äa]tssich|integrationstest|schulung|erprobung"
    r"|d[ée]velop|recett|pr[ée]prod|homolog|qualific|desarroll|prueba|desenvolv|treinament|capacitaci|capacitaç"
    r"|svilupp|collaud|addestr|ontwikkel|acceptat|rozw[óo]j|deweloper|szkolen|przedprod|akceptac"
    r"|utveckl|utvikl|udvikl|v[ýy]voj|kehity|fejleszt"
)
"""Beginnings of words for any environment except production: Testumgebung, Entwicklungssysteme, desarrollo2."""

PROD_WORDS = words("prod prd live productive production prodn prodsystem echtbetrieb wirkbetrieb exploitation tuotanto")
PROD_STEMS = re.compile(r"production|produktion|produktiv|producci[oó]n|produção|producao|produzione|productie|produkc")
ENVIRONMENTS = (
    DEV_WORDS
    | PROD_WORDS
    | words(
        "produktion produktiv produktivsystem produktionsumgebung produccion producción producao produção produzione "
        "productie productief produkcja produkcyjne entwicklung entwicklungssystem abnahme vorproduktion testsystem "
        "testumgebung integration qualitätssicherung développement developpement recette préproduction homologation "
        "desarrollo pruebas prueba preproducción preproduccion homologação homologacao desenvolvimento teste testes "
        "treinamento sviluppo collaudo preproduzione ontwikkeling acceptatie rozwój testowe utveckling udvikling"
    )
)
"""Words that can only be an environment, whatever the attribute's name: such a value is not a secret."""

NOT = words("non not no nicht kein pre pré vor hors nie nao não nie niet ej ikke")
"""Words that negate a following production: non-prod, hors production, vor Produktion."""

PROD_CODES = words("p pr prd prod pro l lv live px")
DEV_CODES = words(
    "t te ts tst d de dv dev e en ent q qa qs u ua uat i in int s sg st stg a ab abn ac acc r rc rec rct h hm hom hml "
    "f fo for v vp vor pp ppd ppr pre k kons n np x sb sbx lab"
)
"""Codes for environments: they only count at the estate's place for the environment, or in such a column."""

ENVIRONMENT_ATTRIBUTES = words(
    "env environment envir stage umgebung systemumgebung umg environnement entorno ambiente omgeving lifecycle sdlc "
    "środowisko srodowisko miljö miljø miljo prostředí prostredi ympäristö landscape landschaft systemstatus"
)
"""Words in the name of a custom attribute for the environment."""

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
"""Words that names of harmless attributes consist of; an attribute with any other word stays in vCenter."""
