use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "participants")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub nik: String,
    pub name: String,
    pub birth_date: Date,
    pub gender: String,
    #[sea_orm(column_type = "Text", select_as = "text", save_as = "segment")]
    pub segment: String,
    #[sea_orm(column_type = "Text", select_as = "text", save_as = "participant_status")]
    pub status: String,
    pub province_id: i32,
    pub channel_id: i32,
    pub employer_id: Option<i32>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::provinces::Entity",
        from = "Column::ProvinceId",
        to = "super::provinces::Column::Id"
    )]
    Provinces,
    #[sea_orm(
        belongs_to = "super::channels::Entity",
        from = "Column::ChannelId",
        to = "super::channels::Column::Id"
    )]
    Channels,
    #[sea_orm(
        belongs_to = "super::employers::Entity",
        from = "Column::EmployerId",
        to = "super::employers::Column::Id"
    )]
    Employers,
}

impl Related<super::provinces::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Provinces.def()
    }
}

impl Related<super::channels::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Channels.def()
    }
}

impl Related<super::employers::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Employers.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelatedEntity)]
pub enum RelatedEntity {
    #[sea_orm(entity = "super::provinces::Entity")]
    Provinces,
    #[sea_orm(entity = "super::channels::Entity")]
    Channels,
    #[sea_orm(entity = "super::employers::Entity")]
    Employers,
}
